// Package fakeworkspace is an in-process Databricks workspace on real sockets.
//
// Tests of a gateway are only as good as the workspace behind it, and tests cannot use a real one. So
// this package responds as recorded traffic and the source of Databricks' SDKs show that a workspace
// does. Tests and the demo start one, mint tokens in it, point the real databricks-sdk-go at it (or at a
// gateway in front of it), switch faults on and off while it runs, and check what arrived on the wire.
//
// # Credentials
//
// A personal access token is `dapi` and 32 hex digits, with an optional `-N` suffix; its id is the
// lower-case hex SHA-256 of the whole value. It is accepted as `Bearer <token>` and as
// `Basic base64("token:<token>")`. Access tokens (JWT, RS256) come from `/oidc/v1/token` with client
// credentials, in a form or in a Basic header, or with a code of `/oidc/v1/authorize` and PKCE, and are
// verified against the keys of `/oidc/jwks.json`.
// One workspace admin has a token ([Workspace.AdminToken]), and one service principal is an admin too
// ([Workspace.AdminClient]).
//
// # Refusals
//
// The front door, which authenticates requests, sends a numeric error_code and a message that ends in
// `[ReqId: …]` (the x-request-id of the same response). It repeats the message in
// x-databricks-reason-phrase, which SQL drivers read:
//
//   - no credential, or one of an unknown shape: 401 and www-authenticate;
//   - a well-formed token that is unknown, revoked or expired: 403 "Invalid access token.", without
//     www-authenticate;
//   - a token of another workspace: 403 "Invalid access to Org: <id>";
//   - a missing scope, according to [WithScopeCheck]: 403 "Provided access token does not have required
//     scopes: a, b". Any one of the scopes named is enough.
//
// With [WithOwnScopes] it requires other scopes for some requests than a published map says, and refuses
// in another of Databricks' wordings.
//
// Services behind the front door send a string error_code: PERMISSION_DENIED for admin endpoints,
// RESOURCE_DOES_NOT_EXIST for unknown ids, ENDPOINT_NOT_FOUND for unknown paths. Token Management
// still returns expired tokens, and its list is not paginated.
//
// # APIs
//
// Token Management and the owner's token API, SCIM Me and Users, discovery, and a small, realistic data
// plane: jobs, clusters, warehouses and statements, workspace objects, catalogs, secrets, the Files API
// and DBFS, model serving with server-sent events, WebSockets and plain HTTP through the driver proxy,
// Spark Connect as a gRPC echo, and Thrift over HTTP as an echo of bytes.
//
// # Known differences
//
//   - Paths are read as a careless server would read them: percent-decoded, dot segments resolved,
//     double slashes merged; with [WithSloppyPaths] also decoded twice, without `;params`, with
//     backslashes as slashes and in lower case. A real front door is stricter in places. This is
//     deliberately the worst plausible upstream: it acts on everything that a gateway lets through.
//   - A change of scopes or a revocation takes effect at once; a real workspace may take minutes.
//   - A token without scopes may do everything. We don't know whether an empty list means "nothing" on
//     a real workspace.
//   - Refusals always come first and in one order: credential, workspace, scope, path, permission. A
//     real workspace sometimes reports on the resource before it checks the scope.
//   - Usage does not drive autoscoping: inferred_scopes are what the test set.
//   - Of two Authorization headers the first wins. We don't know what a real workspace does.
//   - Whoever opens `/oidc/v1/authorize` is signed in already, as the admin user, and agrees.
//   - No browser sessions, no cookies, no compression, no IP access lists, no object permissions beyond
//     "is an admin", no quota except 600 tokens per user.
//   - The issuer of a plain workspace is an http:// address.
//
// Everything that clients can make grow is bounded: the request log, the token and job tables, stored
// files and request bodies. Close ends every stream and waits for it.
package fakeworkspace
