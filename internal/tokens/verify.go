package tokens

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/databricks/databricks-sdk-go/client"
	"github.com/databricks/databricks-sdk-go/service/settings"
)

const (
	// verifyLifetime is the lifetime of the token minted as a proof: if it cannot be
	// deleted, it expires in a minute.
	verifyLifetime = time.Minute

	verifyComment = "scopegate verify: a proof, deleted at once"

	// verifyEvery is the pause between two look-ups of a new token.
	verifyEvery = 200 * time.Millisecond

	defaultVerifyTimeout  = 10 * time.Second
	defaultVerifyPatience = 10 * time.Second
)

// VerifyOptions are the options of [Verify]. The zero value is usable.
type VerifyOptions struct {
	// ApplicationID of a service principal, to also prove the rule for tokens minted on
	// behalf of one. "" skips this.
	ApplicationID string
	// Timeout bounds each request, default 10 seconds.
	Timeout time.Duration
	// Patience is how long the workspace may take until it finds a new token,
	// default 10 seconds.
	Patience time.Duration
}

// VerifyReport is what [Verify] found out. It holds no secret.
type VerifyReport struct {
	// WorkspaceID is the workspace's own ID, 0 if it did not say.
	WorkspaceID int64
	// Own is about a token of the admin's own.
	Own *TokenProof
	// OnBehalf is about a token on behalf of a service principal, nil if it was not
	// requested.
	OnBehalf *TokenProof
	// List is about all tokens of the workspace, nil if they could not be listed.
	List *ListProof
	// ListErr says why they could not be listed.
	ListErr error
}

// ListProof says how many tokens of a workspace could not be judged by what its list says.
type ListProof struct {
	// Tokens is how many tokens the list has.
	Tokens int
	// UnknownExpiry is how many of them pass only with [Freshness.UnknownExpiry].
	UnknownExpiry int
	// Unusable is how many cannot be judged at all, by kind.
	Unusable map[Unusable]int
}

// TokenProof is what one minted token proved.
type TokenProof struct {
	// ID is the token ID that the workspace returned.
	ID string
	// IDIsHash reports whether ID is the SHA-256 of the token's whole value.
	IDIsHash bool
	// Suffixed reports whether the value ends in a hyphen and a number, as on some
	// clouds, and IDIsHashWithoutSuffix whether ID is the hash of the part before it.
	Suffixed              bool
	IDIsHashWithoutSuffix bool
	// Found reports whether the token was found by the hash of its value, and
	// FoundAfter how long after minting.
	Found      bool
	FoundAfter time.Duration
	// Info holds the facts, nil if the token was not found.
	Info *Info
	// WorkspaceIDFits reports whether the facts name a workspace, and, if the answer
	// said which workspace sent it, the same one.
	WorkspaceIDFits bool
	// Deleted reports whether the token was deleted. If not, it expires a minute after
	// minting.
	Deleted bool
}

// proven reports whether the rule holds for this token: its ID is the hash of its
// value, and the workspace finds it by that.
func (p *TokenProof) proven() bool { return p.IDIsHash && p.Found }

// Verify proves on a workspace that a token's ID is the SHA-256 of its value. It mints
// a token that expires in a minute, compares, looks it up as the resolver would, and
// deletes it, even if it fails or the context ends. It neither returns nor prints the
// value.
//
// The error is an [*UnavailableError] with [IDRuleBroken] if the rule does not hold,
// and another error if Verify could not find out. The report holds the results so far
// in either case.
func Verify(ctx context.Context, workspace string, admin Admin, options VerifyOptions) (VerifyReport, error) {
	timeout := cmp.Or(options.Timeout, defaultVerifyTimeout)
	v := verification{
		transport: NewTransport(timeout),
		timeout:   timeout,
		patience:  cmp.Or(options.Patience, defaultVerifyPatience),
	}
	defer v.transport.Close()
	c, err := admin.newClient(workspace, timeout, v.transport)
	if err != nil {
		return VerifyReport{}, fmt.Errorf("verifying the id rule: %w", notConfigured(err))
	}
	v.api, v.client = settings.NewTokenManagement(c), c

	var report VerifyReport
	own := settings.NewTokens(c)
	report.Own, err = v.prove(ctx, func() (id, value string, err error) {
		answer, err := own.Create(ctx, settings.CreateTokenRequest{
			Comment: verifyComment, LifetimeSeconds: int64(verifyLifetime / time.Second),
		})
		if err != nil || answer.TokenInfo == nil {
			return "", "", err
		}
		return answer.TokenInfo.TokenId, answer.TokenValue, nil
	})
	if err == nil && options.ApplicationID != "" {
		report.OnBehalf, err = v.prove(ctx, func() (id, value string, err error) {
			answer, err := v.api.CreateOboToken(ctx, settings.CreateOboTokenRequest{
				ApplicationId: options.ApplicationID,
				Comment:       verifyComment, LifetimeSeconds: int64(verifyLifetime / time.Second),
			})
			if err != nil || answer.TokenInfo == nil {
				return "", "", err
			}
			return answer.TokenInfo.TokenId, answer.TokenValue, nil
		})
	}
	if err == nil {
		report.List, report.ListErr = v.list(ctx)
	}
	report.WorkspaceID = v.workspaceID
	if err != nil {
		return report, fmt.Errorf("verifying the id rule: %w", err)
	}
	for _, proof := range []*TokenProof{report.Own, report.OnBehalf} {
		if proof != nil && !proof.proven() {
			return report, &UnavailableError{Outage: IDRuleBroken}
		}
	}
	return report, nil
}

// verification is one run of [Verify].
type verification struct {
	api       *settings.TokenManagementAPI
	client    *client.DatabricksClient
	transport *Transport
	timeout   time.Duration
	patience  time.Duration

	workspaceID int64 // of the last answer that could be used
}

// prove mints one token and tests the rule with it. The value does not outlive the
// call.
func (v *verification) prove(ctx context.Context, mint func() (id, value string, err error)) (*TokenProof, error) {
	id, value, err := mint()
	minted := time.Now()
	if err != nil {
		return nil, fmt.Errorf("minting a token: %w", changeFailed(err))
	}
	if id == "" || value == "" {
		return nil, fmt.Errorf("minting a token: %w", &UnavailableError{Outage: BadAnswer})
	}
	hash := IDOf(value)
	proof := &TokenProof{ID: id, IDIsHash: strings.EqualFold(id, hash.String())}
	if base, suffix, found := strings.Cut(value, "-"); found && strings.Trim(suffix, "0123456789") == "" {
		proof.Suffixed = true
		proof.IDIsHashWithoutSuffix = strings.EqualFold(id, IDOf(base).String())
	}
	defer func() { proof.Deleted = v.delete(ctx, id) }()

	looking, noted := noting(ctx)
	info, err := v.find(looking, hash)
	if errors.Is(err, ErrUnknownToken) {
		return proof, nil // a result, not a failure
	}
	if err != nil {
		return proof, fmt.Errorf("looking up the minted token: %w", err)
	}
	proof.Found, proof.FoundAfter = true, time.Since(minted)
	proof.Info = newInfo(hash, info, newInterner())
	v.workspaceID = noted.workspace.Load()
	proof.WorkspaceIDFits = info.WorkspaceId != 0 && (v.workspaceID == 0 || v.workspaceID == info.WorkspaceId)
	return proof, nil
}

// list counts the tokens that could not be judged.
func (v *verification) list(ctx context.Context) (*ListProof, error) {
	body, err := read(ctx, v.client, listPath)
	if err != nil {
		return nil, fmt.Errorf("listing the tokens: %w", changeFailed(err))
	}
	list, faulty, err := readList(body, newInterner())
	if err != nil {
		return nil, fmt.Errorf("listing the tokens: %w", asOutage(err))
	}
	proof := &ListProof{Tokens: len(list) + len(faulty), Unusable: make(map[Unusable]int)}
	for _, info := range list {
		if !info.Expires.Known() {
			proof.UnknownExpiry++
		}
	}
	for _, f := range faulty {
		proof.Unusable[Unusable(f.Err.Kind())]++
	}
	return proof, nil
}

// find looks a token up until the workspace finds it.
func (v *verification) find(ctx context.Context, id ID) (*settings.TokenInfo, error) {
	patience := time.NewTimer(v.patience)
	defer patience.Stop()
	for {
		info, err := get(ctx, v.client, id)
		if !errors.Is(err, ErrUnknownToken) {
			return info, err
		}
		select {
		case <-time.After(verifyEvery):
		case <-patience.C:
			return nil, err
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// delete works even if the context has ended.
func (v *verification) delete(ctx context.Context, id string) bool {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), v.timeout)
	defer cancel()
	return v.api.Delete(ctx, settings.DeleteTokenManagementRequest{TokenId: id}) == nil
}
