package results

import "testing"

func TestMedianAndSpread(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		seconds          []float64
		median, from, to float64
	}{
		{[]float64{3}, 3, 3, 3},
		{[]float64{4, 1}, 2.5, 1.75, 3.25},
		{[]float64{5, 1, 4, 2, 3}, 3, 2, 4},
		{[]float64{1, 2, 3, 100}, 2.5, 1.75, 27.25},
	} {
		c := Cell{Seconds: test.seconds}
		from, to := c.Spread()
		if c.Median() != test.median || from != test.from || to != test.to {
			t.Errorf("of %v: %v (%v to %v), want %v (%v to %v)", test.seconds, c.Median(), from, to, test.median, test.from, test.to)
		}
	}
}

func TestRatio(t *testing.T) {
	t.Parallel()
	r := Results{Cells: []Cell{
		{Kind: "hello", Executor: "driver", Seconds: []float64{1, 1, 9}},
		{Kind: "hello", Executor: "docker", Seconds: []float64{4}},
		{Kind: "hello", Executor: "shell"},
	}}
	if ratio, err := r.Ratio("hello", "driver", "docker"); err != nil || ratio != 0.25 {
		t.Errorf("driver to docker: %v, %v, want 0.25", ratio, err)
	}
	if ratio, err := r.Ratio("hello", "driver", "shell"); err == nil {
		t.Errorf("driver to an executor without times: %v, want an error", ratio)
	}
}
