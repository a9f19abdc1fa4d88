package console

import (
	"encoding/json"
	"time"

	"github.com/scopegate/scopegate/internal/recent"
)

// hourData are the decisions of the last hour, or of a longer period: a chart, and a table for
// those who do not see it.
type hourData struct {
	// Chart is for console.js, which draws figures with data-chart.
	Chart string
	// Minutes are those with decisions, the newest first, or longer bins.
	Minutes []recent.Minute
	Total   recent.Classes
	// Refusals are the most frequent ones of the last hour, and More is how many kinds are left out.
	Refusals []recent.Refusal
	More     int
}

// topRefusals is how many kinds of refusals are listed.
const topRefusals = 10

// chart is what console.js draws.
type chart struct {
	X      []int64  `json:"x"`   // seconds since 1970
	Bin    string   `json:"bin"` // Minute, or what a longer bin is called
	Series []series `json:"series"`
}

type series struct {
	Label string `json:"label"`
	Color string `json:"color"` // a property of console.css
	Y     []int  `json:"y"`
}

func hourOf(minutes recent.Minutes) (hourData, error) {
	shown := min(len(minutes.Refusals), topRefusals)
	data := hourData{Refusals: minutes.Refusals[:shown], More: len(minutes.Refusals) - shown}
	return data, data.fill(minutes.Minutes, "Minute")
}

// fill draws bins, the oldest first.
func (data *hourData) fill(bins []recent.Minute, called string) error {
	data.Minutes, data.Total = nil, recent.Classes{}
	drawn := chart{Bin: called, X: []int64{}, Series: []series{
		{Label: allowed.Label(), Color: "good"}, {Label: refused.Label(), Color: "bad"},
		{Label: wouldRefuse.Label(), Color: "warning"}, {Label: unavailable.Label(), Color: "info"},
	}}
	for i := range bins {
		minute := &bins[i]
		counts := []int{minute.Allowed, minute.Refused, minute.WouldRefuse, minute.Unavailable}
		drawn.X = append(drawn.X, minute.Begins.Unix())
		for j, n := range counts {
			drawn.Series[j].Y = append(drawn.Series[j].Y, n)
		}
		data.Total.Allowed += minute.Allowed
		data.Total.Refused += minute.Refused
		data.Total.WouldRefuse += minute.WouldRefuse
		data.Total.Unavailable += minute.Unavailable
		if minute.Classes != (recent.Classes{}) {
			data.Minutes = append([]recent.Minute{*minute}, data.Minutes...)
		}
	}
	encoded, err := json.Marshal(drawn)
	data.Chart = string(encoded)
	return err
}

// minuteOf formats the beginning of a minute.
func minuteOf(t time.Time) string { return t.UTC().Format("15:04") }
