package main

import (
	"testing"
	"time"
)

func TestRecordSettlesOnce(t *testing.T) {
	sum := digest([]byte("reading"))
	type outcome struct {
		delay   time.Duration
		settled bool
	}
	acknowledge := func(at time.Duration) func(*record) outcome {
		return func(r *record) outcome {
			delay, settled := r.acknowledge(0, at*time.Second)
			return outcome{delay, settled}
		}
	}
	finalise := func(seq, sum uint64, at time.Duration) func(*record) outcome {
		return func(r *record) outcome {
			delay, settled := r.finalise(seq, sum, at*time.Second)
			return outcome{delay, settled}
		}
	}
	open, late := outcome{}, outcome{3 * time.Second, true}
	for _, test := range []struct {
		name  string
		steps []func(*record) outcome
		want  []outcome
	}{
		{"acknowledged, then final", []func(*record) outcome{acknowledge(2), finalise(0, sum, 5)}, []outcome{open, late}},
		{"final, then acknowledged", []func(*record) outcome{finalise(0, sum, 2), acknowledge(5)}, []outcome{open, {0, true}}},
		{"final twice", []func(*record) outcome{acknowledge(2), finalise(0, sum, 5), finalise(0, sum, 6)}, []outcome{open, late, open}},
		{"other bytes", []func(*record) outcome{acknowledge(2), finalise(0, sum+1, 5)}, []outcome{open, open}},
		{"never published", []func(*record) outcome{finalise(1, sum, 5)}, []outcome{open}},
	} {
		t.Run(test.name, func(t *testing.T) {
			var r record
			r.sent(sum)
			for i, step := range test.steps {
				if got := step(&r); got.settled != test.want[i].settled || got.settled && got.delay != test.want[i].delay {
					t.Errorf("step %d: %+v, want %+v", i, got, test.want[i])
				}
			}
		})
	}
}

func TestRecordAcknowledged(t *testing.T) {
	var r record
	r.sent(7)
	if r.acknowledged(0, 7) {
		t.Error("acknowledged before its PUBACK")
	}
	r.acknowledge(0, time.Second)
	if !r.acknowledged(0, 7) || r.acknowledged(0, 8) || r.acknowledged(1, 7) {
		t.Error("not the one reading that was acknowledged")
	}
}
