package tokens

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/databricks/databricks-sdk-go/apierr"
	"github.com/databricks/databricks-sdk-go/client"
	"github.com/databricks/databricks-sdk-go/service/settings"
)

const (
	// verifyLifetime is that of a token minted as a proof: should it not be possible
	// to delete it, it is gone in a minute.
	verifyLifetime = time.Minute

	verifyComment = "scopegate verify: a proof, deleted at once"

	// verifyEvery is how often a token just minted is looked for.
	verifyEvery = 200 * time.Millisecond

	defaultVerifyTimeout  = 10 * time.Second
	defaultVerifyPatience = 10 * time.Second
)

// VerifyOptions are the options of [Verify]. The zero value is good.
type VerifyOptions struct {
	// ApplicationID of a service principal, to prove the rule for tokens minted on
	// behalf of one too. Empty: not proven.
	ApplicationID string
	// Timeout bounds each request, default 10 seconds.
	Timeout time.Duration
	// Patience is how long a new token may take until the workspace finds it,
	// default 10 seconds.
	Patience time.Duration
}

// VerifyReport is what [Verify] learned of a workspace. It holds no secret.
type VerifyReport struct {
	// WorkspaceID is how the workspace names itself, 0 if it does not.
	WorkspaceID int64
	// Own is about a token of the admin itself.
	Own *TokenProof
	// OnBehalf is about a token on behalf of a service principal, nil if none was
	// asked for.
	OnBehalf *TokenProof
}

// TokenProof is what was learned from one token that was minted for it.
type TokenProof struct {
	// ID is what the workspace calls the token.
	ID string
	// IDIsHash tells that this is the SHA-256 of the token's whole value.
	IDIsHash bool
	// Suffixed tells that the value ends in a hyphen and a number, as on some
	// clouds, and IDIsHashWithoutSuffix that the ID is the hash of what is before
	// that.
	Suffixed              bool
	IDIsHashWithoutSuffix bool
	// Found tells that the token was found by the hash of its value, FoundAfter how
	// long after it was minted.
	Found      bool
	FoundAfter time.Duration
	// Info are the facts as found, nil if it was not.
	Info *Info
	// WorkspaceIDFits tells that the facts name a workspace, and the one that
	// answered, if that told.
	WorkspaceIDFits bool
	// Deleted tells that the token was deleted. If not, it expires within a minute
	// of its making.
	Deleted bool
}

// Proven reports whether the rule holds for this token: its id is the hash of its
// value, and it is found by it.
func (p *TokenProof) Proven() bool { return p.IDIsHash && p.Found }

// Verify proves on a workspace that a token's id is the SHA-256 of its value. It
// mints a token that lives a minute, compares, looks for it as the resolver
// would, and deletes it, also when it fails or the context ends on the way. It
// neither returns nor prints the value.
//
// The error is an [*UnavailableError] of [IDRuleBroken] if the rule does not hold,
// and anything else if that could not be found out. The report holds what was
// learned in either case.
func Verify(ctx context.Context, workspace string, admin Admin, options VerifyOptions) (VerifyReport, error) {
	timeout := cmp.Or(options.Timeout, defaultVerifyTimeout)
	v := verification{
		transport: newTransport(timeout),
		timeout:   timeout,
		patience:  cmp.Or(options.Patience, defaultVerifyPatience),
	}
	defer v.transport.close()
	c, err := admin.newClient(workspace, timeout, v.transport)
	if err != nil {
		return VerifyReport{}, fmt.Errorf("verifying the id rule: %w", notConfigured(err))
	}
	v.client, v.api = c, settings.NewTokenManagement(c)

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
	report.WorkspaceID = v.transport.workspaceID.Load()
	if err != nil {
		return report, fmt.Errorf("verifying the id rule: %w", err)
	}
	for _, proof := range []*TokenProof{report.Own, report.OnBehalf} {
		if proof != nil && !proof.Proven() {
			return report, &UnavailableError{Outage: IDRuleBroken}
		}
	}
	return report, nil
}

// verification is one run of [Verify].
type verification struct {
	client    *client.DatabricksClient
	api       *settings.TokenManagementAPI
	transport *transport
	timeout   time.Duration
	patience  time.Duration
}

// prove learns what there is to learn from one token. The value does not outlive
// it.
func (v *verification) prove(ctx context.Context, mint func() (id, value string, err error)) (*TokenProof, error) {
	id, value, err := mint()
	minted := time.Now()
	if err != nil {
		return nil, fmt.Errorf("minting a token: %w", mintingFailed(err))
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

	info, err := v.find(ctx, hash)
	if errors.Is(err, ErrUnknownToken) {
		return proof, nil // which is what we came to find out
	}
	if err != nil {
		return proof, fmt.Errorf("looking for the token minted: %w", err)
	}
	proof.Found, proof.FoundAfter = true, time.Since(minted)
	proof.Info = newInfo(hash, info, newInterner())
	told := v.transport.workspaceID.Load()
	proof.WorkspaceIDFits = info.WorkspaceId != 0 && (told == 0 || told == info.WorkspaceId)
	return proof, nil
}

// find asks until the workspace has heard of its own token.
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

// delete works after the context's end too.
func (v *verification) delete(ctx context.Context, id string) bool {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), v.timeout)
	defer cancel()
	return v.api.Delete(ctx, settings.DeleteTokenManagementRequest{TokenId: id}) == nil
}

// mintingFailed says more than classify: who verifies by hand wants to know what
// the workspace said. It was asked for no secret, so its words hold none.
func mintingFailed(err error) error {
	var api *apierr.APIError
	if errors.As(err, &api) {
		return fmt.Errorf("%w: %s: %s", asOutage(classify(err)), api.ErrorCode, api.Message)
	}
	return classify(err)
}
