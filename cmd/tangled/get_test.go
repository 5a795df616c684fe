package main

import (
	"strings"
	"testing"

	tangledv1 "tangled/api/proto/tangled/v1"
)

// get tells what is final from what is only likely.
func TestStanding(t *testing.T) {
	m := &tangledv1.Message{Id: []byte{1}, Kind: tangledv1.Kind_KIND_DATA, Data: &tangledv1.Data{Topic: "a"}}
	for _, c := range []struct {
		meta *tangledv1.MetadataResponse
		want []string
		not  string
	}{
		{
			&tangledv1.MetadataResponse{
				Finality: tangledv1.Finality_FINALITY_PENDING, Weight: 2, TotalWeight: 4, Measured: true, Confidence: 0.5, Exact: true,
			},
			[]string{"finality    pending: seats of weight 2 of 4 stand on it", "confidence  50 %"}, "replaced",
		},
		{
			&tangledv1.MetadataResponse{Finality: tangledv1.Finality_FINALITY_PENDING, Measured: true, Confidence: 1},
			[]string{"confidence  above 99 %"}, "100",
		},
		{
			&tangledv1.MetadataResponse{Finality: tangledv1.Finality_FINALITY_PENDING},
			[]string{"confidence  not measured"}, "%",
		},
		{
			&tangledv1.MetadataResponse{
				Finality: tangledv1.Finality_FINALITY_FINAL, Measured: true, Confidence: 0.5,
				Final: &tangledv1.Final{Anchor: 3, Index: 4, Outcome: tangledv1.Outcome_OUTCOME_INCLUDED},
			},
			[]string{"finality   final at 3:4: included"}, "confidence",
		},
		{
			&tangledv1.MetadataResponse{Finality: tangledv1.Finality_FINALITY_STALE, ReplacedBy: []byte{0xab}},
			[]string{"finality    stale\n", "replaced by  ab"}, "final at",
		},
	} {
		var b strings.Builder
		if err := newStanding(m, c.meta).print(m, &b); err != nil {
			t.Fatal(err)
		}
		// The widths of columns are not the point.
		text := strings.Join(strings.Fields(b.String()), " ")
		for _, want := range c.want {
			if !strings.Contains(text, strings.Join(strings.Fields(want), " ")) {
				t.Errorf("got %s, want %s", b.String(), want)
			}
		}
		if strings.Contains(text, c.not) {
			t.Errorf("got %s, want no %s", b.String(), c.not)
		}
	}
}
