package drift

import (
	"bytes"
	"compress/gzip"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
)

func answer(status int, body string, header ...string) Answer {
	a := Answer{Status: status, Header: http.Header{}, Body: []byte(body)}
	for i := 0; i < len(header); i += 2 {
		a.Header.Add(header[i], header[i+1])
	}
	return a
}

func zipped(text string) string {
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	_, _ = w.Write([]byte(text)) // a buffer takes everything
	_ = w.Close()
	return b.String()
}

const (
	begin   = "Provided access token does not have required scopes: "
	phrase  = "X-Databricks-Reason-Phrase"
	needsIt = `{"error_code":403,"message":"Provided access token does not have required scopes: sql [ReqId: 3ff8f85b-1]"}`
)

func TestNamed(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name     string
		answer   Answer
		want     string // joined by commas
		together bool
	}{
		{"a personal access token", answer(403, needsIt), "sql", false},
		{"as early in 2026", answer(403, `{"error_code":403,"message":"Provided PAT token does not have required scopes: workspace [Reqid: 1]"}`), "workspace", false},
		{"an OAuth token", answer(403, `{"error_code":403,"message":"Provided OAuth token does not have required scopes: ai-gateway"}`), "ai-gateway", false},
		{"several, any of which is enough", answer(403, `{"message":"`+begin+`model-serving, model-serving-inference [ReqId: x]"}`), "model-serving,model-serving-inference", false},
		{"several without spaces", answer(403, `{"message":"`+begin+`b,a"}`), "a,b", false},
		{"the same twice", answer(403, `{"message":"`+begin+`a, a"}`), "a", false},
		{"all-apis beside another", answer(403, `{"message":"`+begin+`all-apis, sql"}`), "sql", false},
		{"all-apis alone", answer(403, `{"message":"`+begin+`all-apis"}`), "all-apis", false},
		{"plain text", answer(403, "Invalid scope, required scopes: model-serving\n"), "model-serving", false},
		{"plain text with status 401", answer(401, "Invalid scope, required scopes: jobs"), "jobs", false},
		{"with status 400", answer(400, needsIt), "sql", false},
		{"in the form of other services", answer(403, `{"error_code":"PERMISSION_DENIED","message":"`+begin+`sql","details":[{"@type":"x"}]}`), "sql", false},
		{"in the form of OAuth", answer(403, `{"error":"insufficient_scope","error_description":"`+begin+`sql"}`), "sql", false},
		{"the error as text", answer(403, `{"error":"Invalid scope, required scopes: sql"}`), "sql", false},
		{"the reason phrase, as to HEAD", answer(403, "", phrase, begin+"files"), "files", false},
		{"the reason phrase before the body", answer(403, "\x1f\x8b broken", phrase, begin+"files", "Content-Encoding", "br"), "files", false},
		{"compressed", answer(403, zipped(needsIt), "Content-Encoding", "gzip"), "sql", false},
		{"a challenge", answer(401, "", "WWW-Authenticate", `Bearer error="insufficient_scope", scope="sql"`), "sql", false},
		{"a challenge after another", answer(403, "", "WWW-Authenticate", `Basic realm="a, Bearer error=x", Bearer realm="y", error=insufficient_scope, scope="sql"`), "sql", false},
		{"a challenge before another", answer(403, "", "WWW-Authenticate", `Bearer scope="sql", error="insufficient_scope", Basic realm="x"`), "sql", false},
		{"challenges in several headers", answer(403, "", "WWW-Authenticate", `Basic realm="x"`, "WWW-Authenticate", `bearer error="insufficient_scope", scope="sql"`), "sql", false},
		{"a challenge that needs several", answer(403, "", "WWW-Authenticate", `Bearer error="insufficient_scope", scope="b a"`), "a,b", true},
		{"a challenge in words", answer(403, "", "WWW-Authenticate", `Bearer error="insufficient_scope", error_description="`+begin+`a, b"`), "a,b", false},
		{"the words before the challenge", answer(403, `{"message":"`+begin+`a, b"}`, "WWW-Authenticate", `Bearer error="insufficient_scope", scope="a b"`), "a,b", false},
		{"gRPC without a body", answer(200, "", "Content-Type", "application/grpc", "Grpc-Status", "7", "Grpc-Message", url.PathEscape(begin+"clusters")), "clusters", false},
		{"gRPC after a body", answer(200, "", "Content-Type", "application/grpc+proto", http.TrailerPrefix+"Grpc-Status", "7", http.TrailerPrefix+"Grpc-Message", begin+"clusters"), "clusters", false},

		{"success", answer(200, needsIt, phrase, begin+"sql"), "", false},
		{"another error", answer(404, needsIt, phrase, begin+"sql"), "", false},
		{"a lack of permission", answer(403, `{"error_code":"PERMISSION_DENIED","message":"User x does not have CAN_VIEW"}`), "", false},
		{"an invalid token", answer(403, `{"error_code":403,"message":"Invalid access token."}`), "", false},
		{"the words inside others", answer(403, `{"message":"Cluster '`+begin+`sql' does not exist"}`), "", false},
		{"the words after others", answer(403, `{"message":"Error: `+begin+`sql"}`), "", false},
		{"words after the names", answer(403, `{"message":"`+begin+`sql (for this spelling of the path; GET /x needs y)"}`), "", false},
		{"the words in another field", answer(403, `{"message":"no","detail":"`+begin+`sql"}`), "", false},
		{"no name", answer(403, `{"message":"`+begin+`"}`), "", false},
		{"a name that is text", answer(403, `{"message":"`+begin+`drop table, sql"}`), "", false},
		{"words that mean no scope in the map", answer(403, `{"message":"`+begin+`public"}`, phrase, begin+"account", "WWW-Authenticate", `Bearer error="insufficient_scope", scope="optional"`), "", false},
		{"such a word beside a scope", answer(403, `{"message":"`+begin+`optional, sql"}`), "", false},
		{"a name with capital letters", answer(403, `{"message":"`+begin+`SQL"}`), "", false},
		{"a name that is too long", answer(403, `{"message":"`+begin+strings.Repeat("a", 65)+`"}`), "", false},
		{"too many names", answer(403, `{"message":"`+begin+`a,b,c,d,e,f,g,h,i"}`), "", false},
		{"a kind of token that is text", answer(403, `{"message":"Provided `+strings.Repeat("x", 17)+` token does not have required scopes: sql"}`), "", false},
		{"a body that is cut off", answer(403, needsIt[:len(needsIt)-5]), "", false},
		{"compressed and cut off", answer(403, zipped(needsIt)[:30], "Content-Encoding", "gzip"), "", false},
		{"compressed in another way", answer(403, needsIt, "Content-Encoding", "br"), "", false},
		{"a bomb", answer(403, zipped(strings.Repeat(" ", 1<<20)+needsIt), "Content-Encoding", "gzip"), "", false},
		{"another challenge", answer(401, "", "WWW-Authenticate", `Bearer error="invalid_token", scope="sql"`), "", false},
		{"another scheme", answer(401, "", "WWW-Authenticate", `Digest error="insufficient_scope", scope="sql"`), "", false},
		{"a challenge in a quoted text", answer(401, "", "WWW-Authenticate", `Basic realm="Bearer error=insufficient_scope, scope=sql"`), "", false},
		{"a challenge that contradicts itself", answer(401, "", "WWW-Authenticate", `Bearer error="insufficient_scope", scope="sql", scope="all-apis"`), "", false},
		{"a quote that does not end", answer(401, "", "WWW-Authenticate", `Bearer error="insufficient_scope", scope="sql`), "", false},
		{"another gateway's words", answer(403, needsIt, "X-Scopegate-Reason", "missing_scope"), "", false},
		{"gRPC with another status", answer(200, "", "Content-Type", "application/grpc", "Grpc-Status", "5", "Grpc-Message", begin+"clusters"), "", false},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			got := test.answer.Named()
			if strings.Join(got.Scopes, ",") != test.want || got.Together != test.together {
				t.Errorf("got %+v, want %s %v", got, test.want, test.together)
			}
		})
	}
}

func TestSucceeded(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name   string
		answer Answer
		want   bool
	}{
		{"200", answer(200, ""), true},
		{"204", answer(204, ""), true},
		{"302", answer(302, ""), false},
		{"404", answer(404, ""), false},
		{"none", answer(0, ""), false},
		{"gRPC", answer(200, "", "Content-Type", "application/grpc", http.TrailerPrefix+"Grpc-Status", "0"), true},
		{"gRPC that failed", answer(200, "", "Content-Type", "application/grpc", http.TrailerPrefix+"Grpc-Status", "7"), false},
		{"gRPC that broke off", answer(200, "", "Content-Type", "application/grpc"), false},
	} {
		if got := test.answer.Succeeded(); got != test.want {
			t.Errorf("%s: %v", test.name, got)
		}
	}
}

// Whatever a workspace sends, nothing but a few names comes out of it.
func FuzzNamed(f *testing.F) {
	for _, seed := range []struct{ body, phrase, challenge, encoding string }{
		{needsIt, begin + "sql", `Bearer error="insufficient_scope", scope="a b"`, ""},
		{zipped(needsIt), "", `Basic realm="x", Bearer error="insufficient_scope", error_description="y"`, "gzip"},
		{"Invalid scope, required scopes: a, b [ReqId: x]", "Invalid scope, required scope: a.", `Bearer "`, "identity"},
	} {
		f.Add([]byte(seed.body), seed.phrase, seed.challenge, seed.encoding)
	}
	f.Fuzz(func(t *testing.T, body []byte, reason, challenge, encoding string) {
		for _, grpc := range []bool{false, true} {
			a := answer(403, string(body), phrase, reason, "WWW-Authenticate", challenge, "Content-Encoding", encoding, "Grpc-Status", "7", "Grpc-Message", reason)
			if grpc {
				a.Status = 200
				a.Header.Set("Content-Type", "application/grpc")
			}
			got := a.Named()
			if len(got.Scopes) > maxNames || !slices.IsSorted(got.Scopes) || got.Together && len(got.Scopes) < 2 {
				t.Fatalf("%+v", got)
			}
			for i, name := range got.Scopes {
				if len(name) > maxName || strings.Trim(name, "abcdefghijklmnopqrstuvwxyz0123456789-.:_") != "" || i > 0 && got.Scopes[i-1] == name {
					t.Fatalf("%q is no name", name)
				}
			}
		}
	})
}
