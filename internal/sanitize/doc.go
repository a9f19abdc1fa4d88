// Package sanitize makes text safe to show. Whatever scopegate writes to a log, a span, a
// terminal or an answer, and that a client, a workspace or an operator chose, goes through
// it once.
//
// It hides what looks like a secret, see [String], in every encoding that people and
// programs wrap around text: percent-encoding, JSON, HTML and quoted-printable escapes,
// base64 and hexadecimal, also in lines, nested up to five deep. Letters that only look
// different, such as those of full width, hide nothing, nor do invisible characters, unless
// base64 or hexadecimal is around them. It also escapes characters that change how the text
// around them is shown: control characters, changes of the writing direction and invisible
// characters.
//
// Input is cut to a limit first. The cost is linear in what is left, and ordinary text is
// returned as it is, without an allocation.
//
// Files: sanitize.go (the functions), ordinary.go (the fast path), scan.go (what is a
// secret), unescape.go, decode.go, entity.go and packed.go (encodings), write.go (the output), json.go (JSON
// documents), writer.go (streams of lines).
package sanitize
