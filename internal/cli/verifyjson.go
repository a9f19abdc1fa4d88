package cli

import (
	"github.com/scopegate/scopegate/internal/tokens"
)

// verifyAnswer is what scopes verify --json prints.
type verifyAnswer struct {
	Workspace   string `json:"workspace"`
	WorkspaceID int64  `json:"workspace_id,omitempty"`
	// RuleHolds is whether the id rule holds; null if that could not be tried. Error says
	// why.
	RuleHolds *bool        `json:"rule_holds"`
	Error     string       `json:"error,omitempty"`
	Own       *proofAnswer `json:"own,omitempty"`
	OnBehalf  *proofAnswer `json:"on_behalf,omitempty"`
	Tokens    *listAnswer  `json:"tokens,omitempty"`
	TokensErr string       `json:"tokens_error,omitempty"`
	Scopes    namesReport  `json:"scopes"`
}

// proofAnswer is what one token proved.
type proofAnswer struct {
	IDIsHash        bool     `json:"id_is_hash"`
	Found           bool     `json:"found"`
	FoundAfter      float64  `json:"found_after_seconds,omitempty"`
	WorkspaceIDFits bool     `json:"workspace_id_fits"`
	Scopes          []string `json:"scopes,omitempty"` // of a token that was created with none
	Deleted         bool     `json:"deleted"`
}

// listAnswer counts all tokens of the workspace.
type listAnswer struct {
	Listed        int                     `json:"listed"`
	UnknownExpiry int                     `json:"unknown_expiry"`
	Unusable      map[tokens.Unusable]int `json:"unusable,omitempty"`
}

func newVerifyAnswer(workspace string, report tokens.VerifyReport, names namesReport, err error) verifyAnswer {
	answer := verifyAnswer{
		Workspace: workspace, WorkspaceID: report.WorkspaceID,
		Own: newProofAnswer(report.Own), OnBehalf: newProofAnswer(report.OnBehalf), Scopes: names,
	}
	if broken := ruleIsBroken(err); err == nil || broken {
		holds := !broken
		answer.RuleHolds = &holds
	}
	if err != nil {
		answer.Error = err.Error()
	}
	if report.ListErr != nil {
		answer.TokensErr = report.ListErr.Error()
	}
	if list := report.List; list != nil {
		answer.Tokens = &listAnswer{list.Tokens, list.UnknownExpiry, list.Unusable}
	}
	return answer
}

func newProofAnswer(p *tokens.TokenProof) *proofAnswer {
	if p == nil {
		return nil
	}
	answer := &proofAnswer{IDIsHash: p.IDIsHash, Found: p.Found, FoundAfter: p.FoundAfter.Seconds(), WorkspaceIDFits: p.WorkspaceIDFits, Deleted: p.Deleted}
	if p.Info != nil {
		answer.Scopes = p.Info.Scopes
	}
	return answer
}
