package parts

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"time"

	"tangled/message"
)

const (
	// contentSize is how many bytes the content of a reading has.
	contentSize = 256
	// topics is how many sensors a city of these measurements has.
	topics = 1_000
)

// city makes the readings of a city's sensors, one after the other. The numbers in
// them are drawn at random, so that they compress no better than real ones.
type city struct{ rng *rand.Rand }

func newCity(seed uint64) city { return city{rand.New(rand.NewPCG(seed, 1))} }

// topic is that of the i-th reading.
func topic(i int) string {
	i %= topics
	return fmt.Sprintf("city/device/district-%02d/sensor-%04d/air", i%20, i)
}

// reading is the i-th reading: JSON of 256 bytes.
func (c city) reading(i int, at time.Time) message.Data {
	content := fmt.Appendf(nil, `{"device":"sensor-%04d","seq":%d,"time":"%s","pm10":%.2f,"pm2_5":%.2f,"no2":%.2f,"o3":%.2f,"co":%.3f,"temperature":%.2f,"humidity":%.1f,"pressure":%.1f,"battery":%.2f,"rssi":-%d,"firmware":"`,
		i%topics, i/topics, at.UTC().Format(time.RFC3339Nano), c.rng.Float64()*80, c.rng.Float64()*40, c.rng.Float64()*90,
		c.rng.Float64()*120, c.rng.Float64()*2, c.rng.Float64()*40-5, c.rng.Float64()*100, 980+c.rng.Float64()*60,
		3+c.rng.Float64(), 40+c.rng.IntN(60))
	const firmware, end = "air-station 2.4.1 (build 20250917, city of bench)", `"}`
	content = append(content, firmware[:max(0, min(len(firmware), contentSize-len(end)-len(content)))]...)
	content = append(content, end...)
	return message.Data{
		Topic: topic(i), ContentType: "application/json", EventTime: uint64(at.UnixNano()),
		Content: append(content, bytes.Repeat([]byte{' '}, max(0, contentSize-len(content)))...),
	}
}
