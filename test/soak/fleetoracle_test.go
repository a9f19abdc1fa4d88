package soak

import (
	"testing"
	"time"

	"github.com/scopegate/scopegate/internal/testing/fleettest"
)

// TestFleetOracle: the oracle of the fleet's soak finds what is wrong, and nothing else.
func TestFleetOracle(t *testing.T) {
	begin := time.Now().Add(-time.Hour)
	at := func(seconds float64) time.Time { return begin.Add(time.Duration(seconds * float64(time.Second))) }
	passes := fleettest.Answer{Status: 200}
	refused := func(reason string) fleettest.Answer { return fleettest.Answer{Status: 403, Reason: reason} }
	redis := func(from, to float64) fleetFault { return fleetFault{from: at(from), to: at(to), redis: true} }
	authority := func(from, to float64) fleetFault {
		return fleetFault{from: at(from), to: at(to), authority: true}
	}
	for _, test := range []struct {
		name   string
		faults []fleetFault
		told   float64 // when a gateway was told of a revocation, 0 for none
		asked  float64
		got    fleettest.Answer
		wrong  bool
	}{
		{"a good token passes", nil, 0, 100, passes, false},
		{"a good token is refused", nil, 0, 100, refused("unknown_token"), true},
		{"before the change", nil, 100, 99, passes, false},
		{"at once", nil, 100, 100.5, passes, false},
		{"at once, for another reason", nil, 100, 100.5, refused("missing_scope"), true},
		{"later", nil, 100, 103, passes, true},
		{"later, refused", nil, 100, 103, refused("unknown_token"), false},
		{"undecided", nil, 100, 103, refused(undecidedReason), false},
		{"Redis was down", []fleetFault{redis(99, 110)}, 100, 114, passes, false},
		{"Redis was down, and has long been up", []fleetFault{redis(99, 110)}, 100, 116, passes, true},
		{"Redis went down just after", []fleetFault{redis(101, 110)}, 100, 114, passes, false},
		{"Redis went down later", []fleetFault{redis(103, 110)}, 100, 114, passes, true},
		{"one fault after the other", []fleetFault{redis(99, 110), redis(112, 120)}, 100, 124, passes, false},
		{"an authority ended before it could tell", []fleetFault{redis(99, 110), authority(111, 113)}, 100, 130, passes, false},
		{"it ended, and ttl is over", []fleetFault{redis(99, 110), authority(111, 113)}, 100, 136, passes, true},
		{"an authority ended before that", []fleetFault{authority(90, 99), redis(99, 110)}, 100, 116, passes, true},
	} {
		t.Run(test.name, func(t *testing.T) {
			o := &truth{weather: &weather{faults: test.faults}, ttl: 30 * time.Second}
			a := new(fleetActor)
			if test.told > 0 {
				a.reason, a.changed, a.told = "unknown_token", at(test.told-0.1), at(test.told)
			}
			problem := o.wrong(a, test.got, at(test.asked), at(test.asked+0.01))
			if (problem != "") != test.wrong {
				t.Errorf("%q, want wrong %t", problem, test.wrong)
			}
		})
	}
}
