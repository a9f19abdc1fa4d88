package cli

import "github.com/scopegate/scopegate/internal/fleet"

// onceMore is how to tell gateways that nobody told.
const onceMore = "If it is urgent, run the command once more with --address of each."

// untold says what follows if a gateway could not tell the others of a change. It is empty if
// there is nothing to say.
func untold(reason fleet.Untold) string {
	switch reason {
	case "":
		return ""
	case fleet.StoreDown:
		return "Redis is down: this gateway and its own edges apply the change now; other gateways apply it when Redis is back, or after their ttl. " + onceMore
	case fleet.StoreRefused:
		return "Redis has not taken the change yet: this gateway and its own edges apply it now, and the gateway tries again; other gateways apply it when Redis has it, or after their ttl. " + onceMore
	case fleet.UpstreamDown:
		return "this edge reaches no authority: it applies the change now; other gateways apply it when an authority is back, or after their ttl. " + onceMore
	case fleet.ShuttingDown:
		return "the gateway is shutting down, and has told no other one: other gateways apply the change after their ttl. " + onceMore
	default: // of a later version
		return "the gateway could not tell the others: it applies the change now; other gateways apply it after their ttl. " + onceMore
	}
}
