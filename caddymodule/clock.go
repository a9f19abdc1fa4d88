package caddymodule

import "time"

// clock tells the time to handlers and to what they share.
var clock = time.Now

// UseClock lets handlers that are set up from now on tell the time by another clock
// than the machine's. It is for simulations, such as the demo's, and must be called
// before the first configuration is loaded. Waiting stays in real time.
func UseClock(now func() time.Time) { clock = now }
