package usage

import (
	"fmt"
	"time"
)

// maxLease is longer than any snapshot belongs to the gateway that saved it: until then, nobody
// would fold it.
const maxLease = 90 * 24 * time.Hour

// CheckSnapshot says why a snapshot that comes from elsewhere must not be saved for an
// instance below a prefix: it is corrupt, or says that it belongs elsewhere. Its error is
// [ErrCorrupt] or [ErrNewerVersion]. Snapshots of older versions, which do not say where they
// belong, are refused, and so is what only a folded snapshot holds: it would make others
// ignore the snapshots that it names.
func CheckSnapshot(data []byte, prefix, instance string) error {
	switch {
	case !isInstanceID(instance):
		return fmt.Errorf("%w: this is not the id of an instance", ErrCorrupt)
	case len(data) > maxSnapshot:
		return fmt.Errorf("%w: it has more than %d MiB", ErrCorrupt, maxSnapshot>>20)
	}
	_, envelope, err := unmarshalSnapshot(data)
	if err != nil {
		return err
	}
	p := place{prefix: prefix}
	switch {
	case envelope.Workspace == "" || envelope.Instance == "":
		return fmt.Errorf("%w: it does not say where it belongs", ErrCorrupt)
	case len(envelope.Folded) > 0 || len(envelope.Ledgers) > 0:
		return fmt.Errorf("%w: it is not that of one instance", ErrCorrupt)
	case envelope.Until > time.Now().Add(maxLease).UnixMilli():
		return fmt.Errorf("%w: its lease never ends", ErrCorrupt)
	}
	return envelope.belongs(p, p.instanceKey(instance))
}
