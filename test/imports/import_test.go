package imports

import (
	"os"
	"reflect"
	"runtime/debug"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2"
	"go.opentelemetry.io/otel"

	_ "github.com/scopegate/scopegate"
)

// TestImportChangesNothing: whoever builds scopegate into a Caddy of their own gets
// modules, and nothing else of the process changes.
func TestImportChangesNothing(t *testing.T) {
	for _, module := range caddy.Modules() {
		info, err := caddy.GetModule(module)
		if err != nil {
			t.Fatal(err)
		}
		of := reflect.TypeOf(info.New())
		for of.Kind() == reflect.Pointer {
			of = of.Elem()
		}
		if strings.Contains(of.PkgPath(), "scopegate") && !strings.HasPrefix(info.ID.Name(), "databricks") {
			t.Errorf("module %s does not say whose it is; its name must begin with databricks", module)
		}
	}
	if handler := reflect.TypeOf(otel.GetErrorHandler()).String(); strings.Contains(handler, "audit") {
		t.Errorf("OpenTelemetry's errors go to %s", handler)
	}
	if os.Getenv("GOGC") == "" {
		if percent := debug.SetGCPercent(100); percent != 100 {
			t.Errorf("the garbage collector was set to %d per cent", percent)
		}
	}
}
