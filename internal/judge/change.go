package judge

import (
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/scopegate/scopegate/internal/tokens"
	"github.com/scopegate/scopegate/scopes"
)

// Forgetter forgets facts about the tokens of a workspace.
type Forgetter interface {
	// Purge forgets one token.
	Purge(id tokens.ID) bool
	// ForgetOwner forgets all tokens of a user or service principal, and the name.
	ForgetOwner(id int64)
	// ForgetAll forgets all tokens.
	ForgetAll()
	// ForgetOwners forgets all tokens and the names of all owners.
	ForgetOwners()
	// ForgetUnknown forgets which tokens are unknown.
	ForgetUnknown()
	// Doubt makes all tokens be looked up again, where it is not certain that anything was
	// changed. However often it is called, no known token is turned away.
	Doubt()
	// DoubtOwners is Doubt for the names of owners too, which are used until the workspace
	// has answered.
	DoubtOwners()
}

// effect is what a request may change about tokens.
type effect uint8

const (
	// makesToken: a token that does not exist yet.
	makesToken effect = 1 << iota
	// changesToken: the token whose id ends the path.
	changesToken
	// deletesToken: the token whose id is in the body.
	deletesToken
	// changesOwner: the tokens of the user or service principal whose id ends the path.
	changesOwner
	// changesAny: any token, as a change of who may use tokens does.
	changesAny
	// changesOwners: any token, and the names of owners.
	changesOwners
)

// changes are the operations after which what is known about tokens may be wrong. All
// spellings of an operation have its name.
//
// Not in it: secrets and federation policies of service principals, which are for
// signing in, as OAuth tokens that were issued stay valid until they expire; IP access
// lists, which the workspace checks by itself; and creating users and groups, who have no
// tokens yet.
var changes = map[string]effect{
	"settings.Tokens.Create":                         makesToken,
	"settings.TokenManagement.CreateOboToken":        makesToken,
	"settings.Tokens.Update":                         changesToken,
	"settings.TokenManagement.UpdateTokenManagement": changesToken,
	"settings.TokenManagement.Delete":                changesToken,
	"settings.Tokens.Delete":                         deletesToken,

	// Who loses the permission to use tokens loses them.
	"settings.TokenManagement.SetPermissions":    changesAny,
	"settings.TokenManagement.UpdatePermissions": changesAny,
	// It moves what a group may do, the use of tokens too, to another group.
	"iam.PermissionMigration.MigratePermissions": changesAny,
	// enableTokensConfig, maxTokenLifetimeDays and their successors.
	"settings.WorkspaceConf.SetStatus":                           changesAny,
	"settingsv2.WorkspaceSettingsV2.PatchPublicWorkspaceSetting": changesAny,
	"settingsv2.AccountSettingsV2.PatchPublicAccountSetting":     changesAny,
	"iam.WorkspaceAssignment.Delete":                             changesAny,
	"iam.WorkspaceAssignment.Update":                             changesAny,
	"iamv2.WorkspaceIamV2.DeleteWorkspaceAssignmentProxy":        changesAny,
	"iamv2.WorkspaceIamV2.UpdateWorkspaceAssignmentProxy":        changesAny,
	"iamv2.WorkspaceIamV2.DeleteWorkspaceAssignmentDetailProxy":  changesAny,
	"iamv2.WorkspaceIamV2.UpdateWorkspaceAssignmentDetailProxy":  changesAny,
	"permissionassignments.Delete":                               changesAny,
	"permissionassignments.Update":                               changesAny,
	"iamv2.AccountIamV2.DeleteWorkspaceAssignment":               changesAny,
	"iamv2.AccountIamV2.UpdateWorkspaceAssignment":               changesAny,
	"iamv2.AccountIamV2.DeleteWorkspaceAssignmentDetail":         changesAny,
	"iamv2.AccountIamV2.UpdateWorkspaceAssignmentDetail":         changesAny,

	// The number of a token's owner is the id of the SCIM resource.
	"iam.UsersV2.Delete":             changesOwner,
	"iam.UsersV2.Patch":              changesOwner,
	"iam.UsersV2.Update":             changesOwner,
	"iam.ServicePrincipalsV2.Delete": changesOwner,
	"iam.ServicePrincipalsV2.Patch":  changesOwner,
	"iam.ServicePrincipalsV2.Update": changesOwner,

	// Other APIs have ids of their own.
	"iam.AccountUsersV2.Delete":                          changesOwners,
	"iam.AccountUsersV2.Patch":                           changesOwners,
	"iam.AccountUsersV2.Update":                          changesOwners,
	"iam.AccountServicePrincipalsV2.Delete":              changesOwners,
	"iam.AccountServicePrincipalsV2.Patch":               changesOwners,
	"iam.AccountServicePrincipalsV2.Update":              changesOwners,
	"scim.AccountUsers":                                  changesOwners,
	"scim.AccountUser":                                   changesOwners,
	"scim.AccountServicePrincipals":                      changesOwners,
	"scim.AccountServicePrincipal":                       changesOwners,
	"iamv2.WorkspaceIamV2.DeleteUserProxy":               changesOwners,
	"iamv2.WorkspaceIamV2.UpdateUserProxy":               changesOwners,
	"iamv2.WorkspaceIamV2.DeleteServicePrincipalProxy":   changesOwners,
	"iamv2.WorkspaceIamV2.UpdateServicePrincipalProxy":   changesOwners,
	"iamv2.WorkspaceIamV2.UpdateWorkspaceIdentityDetail": changesOwners,
	"iamv2.AccountIamV2.DeleteUser":                      changesOwners,
	"iamv2.AccountIamV2.UpdateUser":                      changesOwners,
	"iamv2.AccountIamV2.DeleteServicePrincipal":          changesOwners,
	"iamv2.AccountIamV2.UpdateServicePrincipal":          changesOwners,

	// Members of a group have its permission to use tokens.
	"iam.GroupsV2.Delete":                               changesAny,
	"iam.GroupsV2.Patch":                                changesAny,
	"iam.GroupsV2.Update":                               changesAny,
	"iam.AccountGroupsV2.Delete":                        changesAny,
	"iam.AccountGroupsV2.Patch":                         changesAny,
	"iam.AccountGroupsV2.Update":                        changesAny,
	"iamv2.WorkspaceIamV2.DeleteGroupProxy":             changesAny,
	"iamv2.WorkspaceIamV2.UpdateGroupProxy":             changesAny,
	"iamv2.WorkspaceIamV2.CreateDirectGroupMemberProxy": changesAny,
	"iamv2.WorkspaceIamV2.DeleteDirectGroupMemberProxy": changesAny,
	"iamv2.AccountIamV2.DeleteGroup":                    changesAny,
	"iamv2.AccountIamV2.UpdateGroup":                    changesAny,
	"iamv2.AccountIamV2.CreateDirectGroupMember":        changesAny,
	"iamv2.AccountIamV2.DeleteDirectGroupMember":        changesAny,
	"scim.AccountGroups":                                changesAny,
	"scim.AccountGroup":                                 changesAny,
	"groups.Call":                                       changesAny,
}

// byPath are operations that stand for several. What they change shows in the path.
var byPath = []string{
	"scim.Collection", "scim.Resource", "iam.Permissions.Set", "iam.Permissions.Update", "permissions.Preview",
	"account.Other", "identity.AccountOther",
}

// WatchChange looks at a request that may change tokens as it passes, so that the change
// takes effect here at once and not after a ttl. It returns nil for all other requests,
// and otherwise what to call with the status of the answer, before the client has it, and
// again once the exchange has ended: with 0 if there was no whole answer. The change was
// made somewhere between request and answer, so nothing that was asked before the answer
// is to be believed.
//
// Where it does not show which token was changed, or whether one was, all are doubted.
func (j *Judgement) WatchChange(r *http.Request, known Forgetter) func(status int) {
	effects, guessed := j.effects(r)
	if effects == 0 {
		return nil // before anything is allocated
	}
	c := change{known: known, effects: effects, guessed: guessed, judged: j.Facts.Source != ""}
	paths := j.paths(r)
	if c.effects&changesToken != 0 {
		c.token, c.hasToken = tokenInPaths(paths, r.URL.RawQuery)
	}
	if c.effects&changesOwner != 0 {
		c.owner = ownerInPaths(paths)
	}
	if c.effects&deletesToken != 0 {
		c.body = watchBody(r)
	}
	return c.answered
}

// change is a request that may change tokens.
type change struct {
	known   Forgetter
	effects effect
	guessed bool // from words in the path, which may be of something else
	judged  bool // the credential was

	token    tokens.ID // that changesToken means
	hasToken bool
	owner    int64        // that changesOwner means; 0 if it does not show
	body     *watchedBody // that deletesToken means
}

// answered forgets what the request changed, and doubts what it may have changed.
func (c *change) answered(status int) {
	made := status >= http.StatusOK && status < http.StatusMultipleChoices
	// Only the workspace's word makes anything of a request of nobody knows whom.
	if refused(status) || !made && !c.judged {
		return
	}
	has := func(e effect) bool { return c.effects&e != 0 }
	if made {
		// A new token may have been asked for before it existed.
		c.known.ForgetUnknown()
	}
	certain := made && !c.guessed
	doubt := has(changesAny) && !certain
	if has(changesToken) {
		doubt = c.purge(c.token, c.hasToken) || doubt
	}
	if has(deletesToken) {
		doubt = c.purge(c.body.tokenID()) || doubt
	}
	named := certain && c.owner != 0
	if has(changesOwner) && named {
		c.known.ForgetOwner(c.owner)
	}
	switch {
	case has(changesOwners) && certain:
		c.known.ForgetOwners()
	case has(changesOwners), has(changesOwner) && !named:
		c.known.DoubtOwners()
	case has(changesAny) && certain:
		c.known.ForgetAll()
	case doubt:
		c.known.Doubt()
	}
}

// purge forgets the token that a request names, and reports whether it names none.
func (c *change) purge(id tokens.ID, named bool) (unnamed bool) {
	if named {
		c.known.Purge(id)
	}
	return !named
}

// refused reports whether an answer says that nothing was changed. A lost answer may have
// followed a change; 408 and 499 say that one was lost.
func refused(status int) bool {
	const clientLeft = 499
	return status >= http.StatusBadRequest && status < http.StatusInternalServerError &&
		status != http.StatusRequestTimeout && status != clientLeft
}

// effects returns what a request may change, by every way in which it may be read.
// Guessed is true if only words in its path say so, and no row that we know.
func (j *Judgement) effects(r *http.Request) (found effect, guessed bool) {
	switch r.Method {
	case http.MethodGet, http.MethodHead, http.MethodOptions, http.MethodTrace, http.MethodConnect:
		return 0, false
	}
	// What is not judged passes all the same if refusals are only recorded.
	guess, guessed := j.Operation == nil, true
	note := func(o *scopes.Operation) {
		own := !shipped()[rowOf(o)] // of the operator, whose row may be for anything
		e, ok := changes[o.Name]
		ok = ok && !(own && o.Method == anyMethod)
		several := !own && slices.Contains(byPath, o.Name)
		if ok {
			found |= e
		}
		guess = guess || !ok && (several || own || o.Unmapped())
		guessed = guessed && !ok && !several
	}
	if j.Operation != nil {
		note(j.Operation)
	}
	for i := range j.Readings {
		note(j.Readings[i].Operation)
	}
	if found == 0 && guess {
		found = effectsOfPaths(j.paths(r))
	}
	return found, guessed
}

// anyMethod is the method of rows for all methods.
const anyMethod = "*"

// row is what tells rows of the catalog apart.
type row struct{ method, template, name string }

func rowOf(o *scopes.Operation) row { return row{o.Method, o.Template, o.Name} }

// shipped are the rows of the catalog that comes with the gateway.
var shipped = sync.OnceValue(func() map[row]bool {
	rows := make(map[row]bool)
	for _, o := range scopes.Default().Operations() {
		rows[rowOf(&o)] = true
	}
	return rows
})

// paths returns the path as it will be sent, and as it may be read.
func (j *Judgement) paths(r *http.Request) []string {
	paths := append(make([]string, 0, 1+len(j.Readings)), r.URL.EscapedPath())
	for i := range j.Readings {
		paths = append(paths, j.Readings[i].Path)
	}
	return paths
}

// effectsOfPaths guesses what an operation changes that has no row, or whose row stands
// for several, by the words in its path.
func effectsOfPaths(paths []string) (found effect) {
	for _, path := range paths {
		segments := strings.FieldsFunc(strings.ToLower(decodeAll(path)), func(r rune) bool { return r == '/' || r == '\\' || r == ';' })
		has := func(words ...string) bool {
			return slices.ContainsFunc(segments, func(s string) bool { return slices.Contains(words, strings.TrimSpace(s)) })
		}
		switch {
		case has("scim") && ownerInPaths([]string{path}) != 0:
			found |= changesOwner
		case has("scim") && has("groups"):
			found |= changesAny
		case has("scim", "identity"):
			found |= changesOwners
		case has("token", "tokens", "token-management", "authorization", "workspace-conf"):
			found |= changesAny
		}
	}
	return found
}

// tokenInPaths returns the token whose id ends every path, in one plain spelling.
func tokenInPaths(paths []string, query string) (tokens.ID, bool) {
	text, ok := endOfPaths(paths, "token", "tokens")
	if !ok || len(parameters(query, "token_id", "tokenId", "id")) > 0 {
		return tokens.ID{}, false
	}
	id, err := tokens.ParseID(text)
	return id, err == nil
}

// ownerInPaths returns the SCIM id that ends every path, in one plain spelling, and
// otherwise 0.
func ownerInPaths(paths []string) int64 {
	text, ok := endOfPaths(paths, "users", "serviceprincipals")
	id, err := strconv.ParseInt(text, 10, 64)
	if !ok || err != nil || strconv.FormatInt(id, 10) != text {
		return 0
	}
	return id
}

// endOfPaths returns the last segment of all paths, if it is the same in all of them and
// follows one of some words, and no path has a segment that a server could read in
// another way than by decoding it.
func endOfPaths(paths []string, after ...string) (last string, ok bool) {
	for i, path := range paths {
		segments := strings.Split(decodeAll(path), "/")
		segments = slices.DeleteFunc(segments, func(s string) bool { return s == "" || s == "." })
		n := len(segments)
		if n < 2 || slices.Contains(segments, "..") || !slices.Contains(after, strings.ToLower(segments[n-2])) {
			return "", false
		}
		end := strings.ToLower(strings.TrimSpace(segments[n-1]))
		if i > 0 && end != last {
			return "", false
		}
		last = end
	}
	return last, true
}

// maxEncoded is how many layers of percent-encoding are taken off. More makes no id.
const maxEncoded = 4

// decodeAll decodes a path until nothing is left to decode. What cannot be decoded stays.
func decodeAll(path string) string {
	for range maxEncoded {
		if strings.IndexByte(path, '%') < 0 {
			return path
		}
		path = decodeOnce(path)
	}
	return path
}

func decodeOnce(path string) string {
	var decoded strings.Builder
	for i := 0; i < len(path); i++ {
		if path[i] == '%' && i+2 < len(path) {
			if b, err := strconv.ParseUint(path[i+1:i+3], 16, 8); err == nil {
				decoded.WriteByte(byte(b))
				i += 2
				continue
			}
		}
		decoded.WriteByte(path[i])
	}
	return decoded.String()
}
