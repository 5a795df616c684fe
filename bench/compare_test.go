package bench

import (
	"slices"
	"testing"
)

func TestCompare(t *testing.T) {
	before := `{"durable_per_second":100,"ack_ms":{"p50":2,"p95":0},"via":"direct","steps":[{"lost":1}],"gone":5}`
	after := `{"durable_per_second":150,"ack_ms":{"p50":1,"p95":3},"via":"grpc","steps":[{"lost":0}],"come":6}`
	changes, err := Compare([]byte(before), []byte(after))
	if err != nil {
		t.Fatal(err)
	}
	want := []Change{
		{"ack_ms.p50", 2, 1, true, true},
		{"ack_ms.p95", 0, 3, true, true},
		{"come", 0, 6, false, true},
		{"durable_per_second", 100, 150, true, true},
		{"gone", 5, 0, true, false},
		{"steps.0.lost", 1, 0, true, true},
	}
	if !slices.Equal(changes, want) {
		t.Errorf("changes %+v, want %+v", changes, want)
	}
	for i, ratio := range []float64{0.5, -1, -1, 1.5, -1, 0} {
		got, ok := changes[i].Ratio()
		if ok != (ratio >= 0) || ok && got != ratio {
			t.Errorf("ratio of %s is %v, %v; want %v", changes[i].Name, got, ok, ratio)
		}
	}
	for _, bad := range []string{"", "[1]", "{"} {
		if _, err := Compare([]byte(bad), []byte(after)); err == nil {
			t.Errorf("took %q as the old result", bad)
		}
		if _, err := Compare([]byte(before), []byte(bad)); err == nil {
			t.Errorf("took %q as the new result", bad)
		}
	}
}

func TestQuantile(t *testing.T) {
	var times []micros
	for i := range 100 {
		times = append(times, micros(100-i)*1000)
	}
	if got := percentiles(times); got != (Percentiles{50, 95, 99}) {
		t.Errorf("percentiles of 1..100 ms: %+v", got)
	}
	if got := percentiles(nil); got != (Percentiles{}) {
		t.Errorf("percentiles of nothing: %+v", got)
	}
	if got := percentiles([]micros{7000}); got != (Percentiles{7, 7, 7}) {
		t.Errorf("percentiles of one: %+v", got)
	}
}
