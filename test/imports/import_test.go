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

// TestImportChangesNothing: importing scopegate registers modules and changes nothing
// else in the process.
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
			t.Errorf("module %s must have a name that begins with databricks", module)
		}
	}
	if handler := reflect.TypeOf(otel.GetErrorHandler()).String(); strings.Contains(handler, "audit") {
		t.Errorf("OpenTelemetry's errors go to %s", handler)
	}
	if os.Getenv("GOGC") == "" {
		if percent := debug.SetGCPercent(100); percent != 100 {
			t.Errorf("GOGC was set to %d percent", percent)
		}
	}
}
