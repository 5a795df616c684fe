package main

import (
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"time"
)

// sensor simulates one device of the city.
type sensor struct {
	topic string
	kind  *sensorKind
	rand  *rand.Rand
	value float64
	seq   uint64
}

// sensorKind is what a sensor measures: a daily curve between low and high with
// noise on it.
type sensorKind struct {
	name, quantity, unit string
	low, high, noise     float64
	peakHour             float64
	decimals             int
}

func sensorKinds() []*sensorKind {
	return []*sensorKind{
		{"traffic", "vehicle_flow", "vehicles/h", 40, 1800, 60, 17.5, 0},
		{"air", "pm10", "ug/m3", 8, 65, 3, 8.5, 1},
		{"parking", "free_spaces", "spaces", 0, 320, 6, 3, 0},
		{"energy", "active_power", "kW", 12, 240, 5, 19, 2},
		{"water", "flow", "l/s", 0.5, 18, 0.6, 7.5, 2},
	}
}

// sensorReading is the JSON that a sensor publishes.
type sensorReading struct {
	Sensor   string  `json:"sensor"`
	Seq      uint64  `json:"seq"`
	Time     string  `json:"time"` // RFC 3339, UTC
	Quantity string  `json:"quantity"`
	Value    float64 `json:"value"`
	Unit     string  `json:"unit"`
	Battery  int     `json:"battery_percent"`
}

// newSensors makes n sensors spread over sites, with topics
// <root>/device/<site>/<id>/<type>.
func newSensors(root string, n, sites int) []*sensor {
	kinds := sensorKinds()
	sensors := make([]*sensor, n)
	for i := range sensors {
		kind := kinds[i%len(kinds)]
		sensors[i] = &sensor{
			topic: fmt.Sprintf("%s/device/site%d/%s-%04d/%s", root, i%sites+1, kind.name, i, kind.name),
			kind:  kind,
			rand:  rand.New(rand.NewPCG(uint64(i), 1)),
		}
	}
	return sensors
}

// next is the sensor's next reading at a time.
func (s *sensor) next(now time.Time) (seq uint64, content []byte) {
	k := s.kind
	hour := float64(now.Hour()) + float64(now.Minute())/60
	day := (1 + math.Cos((hour-k.peakHour)/24*2*math.Pi)) / 2
	s.value += (k.low + (k.high-k.low)*day - s.value) * 0.3
	value := min(max(s.value+s.rand.NormFloat64()*k.noise, k.low), k.high)
	scale := math.Pow10(k.decimals)
	content, err := json.Marshal(sensorReading{
		Sensor:   s.topic,
		Seq:      s.seq,
		Time:     now.UTC().Format(time.RFC3339Nano),
		Quantity: k.quantity,
		Value:    math.Round(value*scale) / scale,
		Unit:     k.unit,
		Battery:  100 - int(s.seq/500)%100,
	})
	if err != nil {
		panic(err) // numbers and strings only: cannot happen
	}
	seq = s.seq
	s.seq++
	return seq, content
}
