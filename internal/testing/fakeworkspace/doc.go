// Package fakeworkspace is a Databricks workspace in this process, over real sockets.
//
// A gateway that judges personal access tokens is only as well tested as the workspace behind it, and
// no test may own a real one. So this package answers as a workspace was seen to answer: recorded
// traffic and the vendor's own SDK sources, not our wishes. Tests and the demo start one, mint tokens
// in it, point the real databricks-sdk-go at it (or at a gateway in front of it), switch faults on and
// off while it runs, and afterwards read what arrived on the wire.
//
// # Who is asking
//
// A personal access token is `dapi` and 32 hex digits, with a `-N` suffix when asked for; its id is the
// lower-case hex SHA-256 of the whole value. It is accepted as `Bearer <token>` and as
// `Basic base64("token:<token>")`. Access tokens (JWT, RS256) come from `/oidc/v1/token` with client
// credentials, in a form or in a Basic header, and are verified against the keys of `/oidc/jwks.json`.
// There is one workspace admin with a token ([Workspace.AdminToken]) and one service principal that is
// an admin too ([Workspace.AdminClient]).
//
// # What it refuses, and in which words
//
// The front door speaks with a numeric error_code, ends its message in `[ReqId: …]` (the x-request-id of
// the same answer), and repeats the message in x-databricks-reason-phrase, which SQL drivers read:
//
//   - no credential, or one of no known shape: 401 and www-authenticate;
//   - a well-formed token that is unknown, revoked or expired: 403 "Invalid access token.", without
//     www-authenticate;
//   - a token of another workspace: 403 "Invalid access to Org: <id>";
//   - a missing scope, by the judgment given in [WithScopeCheck]: 403 "Provided access token does not
//     have required scopes: a, b". Any one of the scopes named would do.
//
// Services behind the door speak with a string error_code: PERMISSION_DENIED for admin endpoints,
// RESOURCE_DOES_NOT_EXIST for unknown ids, ENDPOINT_NOT_FOUND for unknown paths. Token Management
// still returns expired tokens, and its list is not paginated.
//
// # What it serves
//
// Token Management and the owner's token API, SCIM Me and Users, discovery, and a small believable data
// plane: jobs, clusters, warehouses and statements, workspace objects, catalogs, secrets, the Files API
// and DBFS, model serving with server-sent events, WebSockets and plain HTTP through the driver proxy,
// Spark Connect as a gRPC echo, and Thrift over HTTP as an echo of bytes.
//
// # Where it knowingly differs
//
//   - Paths are believed as a careless server would believe them: percent-decoded, dot segments resolved,
//     doubled slashes merged; with [WithSloppyPaths] also decoded twice, without `;params`, with
//     backslashes as slashes and in lower case. A real front door is stricter here and there. Being the
//     worst plausible upstream is the point: whatever a gateway lets through is then acted upon.
//   - A scope or revocation takes effect at once; a real workspace may take minutes.
//   - A token without scopes may do everything. Whether an empty list means "nothing" on a real
//     workspace is not known.
//   - Refusals come first and in one order: credential, workspace, scope, path, permission. A real
//     workspace sometimes answers for the resource before it asks for the scope.
//   - Usage does not feed autoscoping: inferred_scopes are what the test put there.
//   - Of two Authorization headers the first counts. What a real workspace does is not known.
//   - No browser sessions, no cookies, no compression, no IP access lists, no object permissions beyond
//     "is an admin", no quota but that of 600 tokens per user.
//   - The issuer of a plain workspace is an http:// address.
//
// Everything a client can make grow is bounded: the request log, the token and job tables, stored files,
// bodies read. Close ends every stream and waits for it.
package fakeworkspace
