package audit

import "testing"

func TestTroubles(t *testing.T) {
	t.Parallel()
	var troubles Troubles
	if list := troubles.List(); len(list) != 0 {
		t.Errorf("at first: %v", list)
	}
	troubles.HoldingRecords(SinkOutput, CauseWrite, "disk full")
	troubles.HoldingRecords(SinkLogs, CauseExport, "")
	since := troubles.List()[1].Since
	troubles.LosingRecords(SinkOutput, CauseFull, "")
	list := troubles.List()
	if len(list) != 2 || list[0].Sink != SinkLogs || list[0].Losing || list[1].Sink != SinkOutput || !list[1].Losing || list[1].Cause != CauseFull {
		t.Errorf("after three reports: %+v", list)
	}
	if !list[1].Since.Equal(since) {
		t.Error("what got worse began when it began")
	}
	troubles.KeepingRecords(SinkOutput, 7)
	troubles.KeepingRecords(SinkTraces, 0)
	if list := troubles.List(); len(list) != 1 || list[0].Sink != SinkLogs {
		t.Errorf("after it works again: %+v", list)
	}
}
