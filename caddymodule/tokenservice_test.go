package caddymodule

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"github.com/scopegate/scopegate/internal/usage"
)

func TestUsageWarner(t *testing.T) {
	kept := fmt.Errorf("%w; %w: read-only", usage.ErrCorrupt, usage.ErrNotSetAside)
	fold := fmt.Errorf("%w: read-only", usage.ErrFold)
	for _, test := range []struct {
		name string
		errs []error
		says []string
	}{
		{"set aside", []error{usage.ErrCorrupt}, []string{"it was set aside, and recording starts over"}},
		{"newer", []error{usage.ErrNewerVersion}, []string{"it was set aside, and recording starts over"}},
		{"stopped gateways", []error{fold, fold}, []string{"cannot be merged"}},
		{"could not be set aside", []error{kept, kept, kept}, []string{"cannot be saved"}},
		{"the same again and again", []error{context.Canceled, context.Canceled}, []string{"cannot be saved"}},
		{"another", []error{context.Canceled, errors.New("full")}, []string{"cannot be saved", "cannot be saved"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			core, logs := observer.New(zap.WarnLevel)
			warn := usageWarner(zap.New(core))
			for _, err := range test.errs {
				warn(err)
			}
			if logs.Len() != len(test.says) {
				t.Fatalf("%d warnings, want %d", logs.Len(), len(test.says))
			}
			for i, entry := range logs.All() {
				if !strings.Contains(entry.Message, test.says[i]) {
					t.Errorf("%q lacks %q", entry.Message, test.says[i])
				}
			}
		})
	}
}
