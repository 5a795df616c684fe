package tipselect

import (
	"math"
	"math/rand/v2"
	"testing"
	"time"
)

// The theory for k parents, r messages a second and a constant delay h, in the
// model that the package comment derives L0 from: a tip that has waited x has
// the weight a(x), issuers see the pool's sum Z of weights, so its first
// approver is issued at the rate k r a(x) / Z and arrives h later.
//
// With c = k r / Z and times in units of h, a tip is still unchosen at age x
// with S(x) = exp(-c * (integral of a from 0 to x)), and it is in the pool at
// age x with S(x-1), surely before 1. Z is r times the integral of a(x) over
// that, which gives c from
//
//	k/c = (integral of a from 0 to 1) + (integral of a(x+1) S(x) from 0)
//
// and the time in the pool is 1 + (integral of S). For a = 1 that is k/(k-1).

// theoreticalWait is the mean time in the pool, in units of h, which is also
// the pool in units of r h.
func theoreticalWait(k int, slope float64) float64 {
	a := func(x float64) float64 { return min(ageMax, 1+slope*x) }
	const dx, far = 0.001, 40.0
	integrals := func(c float64) (weighted, survival float64) {
		sum := 0.0
		for x := dx / 2; x < far; x += dx {
			s := math.Exp(-c * (sum + a(x)*dx/2))
			weighted += a(x+1) * s * dx
			survival += s * dx
			sum += a(x) * dx
		}
		return weighted, survival
	}
	first := a(0.5) // the mean of a linear function
	low, high := 0.01, float64(k)
	for range 40 {
		c := (low + high) / 2
		if weighted, _ := integrals(c); float64(k)/c > first+weighted {
			low = c
		} else {
			high = c
		}
	}
	_, survival := integrals(low)
	return 1 + survival
}

// within fails the test where got is further than share from want.
func within(t *testing.T, what string, got, want, share float64) {
	t.Helper()
	off := got/want - 1
	t.Logf("%-24s %10.4f, theory %10.4f: %+.2f %%", what, got, want, 100*off)
	if math.Abs(off) > share {
		t.Errorf("%s is %.4f, want %.4f within %g %%", what, got, want, 100*share)
	}
}

func TestTheory(t *testing.T) {
	for _, test := range []struct {
		name  string
		k     int // 0 = by Pick
		slope float64
		h     time.Duration
		share float64 // tolerance against equal weights
	}{
		{"equal weights, k=2", 2, 0, 200 * time.Millisecond, 0.05},
		{"equal weights, k=3", 3, 0, 200 * time.Millisecond, 0.05},
		{"equal weights, k=4", 4, 0, 200 * time.Millisecond, 0.05},
		{"weighted, Pick", 0, ageSlope, 200 * time.Millisecond, 0.15},
		{"weighted, Pick, slow network", 0, ageSlope, time.Second, 0.15},
		{"weighted, k=3", 3, ageSlope, 200 * time.Millisecond, 0.15},
		{"weighted, k=4", 4, ageSlope, 200 * time.Millisecond, 0.15},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			h, k := test.h.Seconds(), float64(max(2, test.k))
			const rh, count = 100, 200_000 // messages in flight, messages
			got := simulation{
				seed: 1, rate: rh / h, delay: constant(test.h), slope: test.slope, parents: test.k,
				warmup: 100 * test.h, duration: test.h * count / rh,
			}.run()
			within(t, "pool / L0", got.pool/(k*rh/(k-1)), 1, test.share)
			within(t, "first approval / h", got.first.Seconds()/h, k/(k-1), test.share)
			exact := theoreticalWait(int(k), test.slope)
			within(t, "pool / rh, exact", got.pool/rh, exact, 0.02)
			within(t, "first / h, exact", got.first.Seconds()/h, exact, 0.02)
			within(t, "Little's law", got.pool, got.arrivals*got.first.Seconds(), 0.02)
			within(t, "parents", got.parents, k, 0.0001)
			t.Logf("oldest tip %.1f h", got.oldest.Seconds()/h)
			if got.oldest > 30*test.h || got.expired > 0 {
				t.Errorf("oldest tip %v, %d expired; want at most 30 h and none", got.oldest, got.expired)
			}
			if test.slope > 0 && got.last.Delay != test.h {
				t.Errorf("h = %v, want %v", got.last.Delay, test.h)
			}
			within(t, "rate", got.last.Rate, rh/h, 0.25)
		})
	}
}

// Delays that vary by 10 must neither look like laziness nor like inflation.
func TestVaryingDelay(t *testing.T) {
	got := simulation{
		seed: 2, rate: 500, slope: ageSlope, warmup: 20 * time.Second, duration: 300 * time.Second,
		delay: func(r *rand.Rand) time.Duration {
			return time.Duration(100+900*r.Float64()*r.Float64()) * time.Millisecond
		},
	}.run()
	t.Logf("%+v", got)
	within(t, "Little's law", got.pool, got.arrivals*got.first.Seconds(), 0.02)
	within(t, "parents", got.parents, 2, 0.001)
	within(t, "h", got.last.Delay.Seconds(), 0.643, 0.1) // P(uv <= 0.603) = 0.603 (1 - ln 0.603) = 0.9
	if got.pool != got.usable {
		t.Errorf("mean pool %.1f, of which not lazy %.1f", got.pool, got.usable)
	}
	if got.oldest > 30*got.last.Delay || got.expired > 0 {
		t.Errorf("oldest tip %v, %d expired", got.oldest, got.expired)
	}
}

// At high load lazy messages are not approved at all: they cost the honest
// nothing and leave by expiry.
func TestLazyIssuers(t *testing.T) {
	const rate, share, h = 1000, 0.55, 200 * time.Millisecond
	got := simulation{
		seed: 3, rate: rate, delay: constant(h), slope: ageSlope,
		attack: oldPair, share: share, warmup: 70 * time.Second, duration: 180 * time.Second,
	}.run()
	t.Logf("%+v", got)
	within(t, "usable pool", got.usable, theoreticalWait(2, ageSlope)*(1-share)*rate*h.Seconds(), 0.03)
	within(t, "pool", got.pool, got.usable+share*rate*60.5, 0.03) // Expire runs once a second
	within(t, "parents", got.parents, 2, 0.001)
	if most := int(1.05 * (got.usable + share*rate*61)); got.largest > most {
		t.Errorf("largest pool %d, want at most %d", got.largest, most)
	}
	if got.rewarded > 0 || got.expired > 0 || got.oldest > 30*h {
		t.Errorf("%d lazy messages approved, %d honest expired, oldest %v", got.rewarded, got.expired, got.oldest)
	}
}

// At low load there is nothing else left, and the lazy are worked off.
func TestLazyIssuersLowLoad(t *testing.T) {
	const h = 200 * time.Millisecond
	got := simulation{
		seed: 4, rate: 10, delay: constant(h), slope: ageSlope,
		attack: oldPair, share: 0.55, warmup: time.Minute, duration: 2000 * time.Second,
	}.run()
	t.Logf("%+v", got)
	if got.pool > 2*inflatedAbove || got.largest > 6*inflatedAbove {
		t.Errorf("mean pool %.1f, largest %d", got.pool, got.largest)
	}
	if got.rewarded == 0 || got.expired > 0 {
		t.Errorf("%d lazy messages approved, %d honest expired", got.rewarded, got.expired)
	}
}

// Attackers that cannot be told from the honest are outweighed by the number
// of parents; with two each, the honest would not keep up.
func TestMimics(t *testing.T) {
	const rate, h = 1000, 200 * time.Millisecond
	attack := simulation{
		seed: 5, rate: rate, delay: constant(h), slope: ageSlope,
		attack: mimic, share: 0.55, warmup: 40 * time.Second, duration: 120 * time.Second,
	}
	got := attack.run()
	t.Logf("%+v", got)
	ideal := 2 * rate * h.Seconds()
	if got.pool > 2*ideal || got.largest > 3*int(ideal) {
		t.Errorf("mean pool %.0f, largest %d, want about 1.5 L0 = %.0f", got.pool, got.largest, 1.5*ideal)
	}
	if got.parents < 3 || got.parents > 5 {
		t.Errorf("%.2f parents", got.parents)
	}
	if got.expired > 0 || got.oldest > 30*h {
		t.Errorf("%d honest expired, oldest %v", got.expired, got.oldest)
	}
	attack.parents = 2
	if got := attack.run(); got.pool < 10*ideal {
		t.Errorf("mean pool %.0f with two parents each: the attack is no attack", got.pool)
	}
}
