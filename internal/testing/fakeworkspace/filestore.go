package fakeworkspace

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"hash"
	"io"
	"sync"
	"time"
)

const (
	defaultFileMemory = 32 << 20
	// maxFiles bounds the number of files; [WithFileMemory] bounds their contents.
	maxFiles = 10000
	// patternPeriod is the number of bytes after which a generated file repeats itself.
	patternPeriod = 251
)

// FileInfo is what the workspace knows about a file.
type FileInfo struct {
	Size   int64
	SHA256 string
	// Kept reports whether the contents are in memory or can be generated.
	Kept     bool
	Modified time.Time
}

type storedFile struct {
	info    FileInfo
	content []byte
	madeUp  bool
}

// fileStore holds the files of the Files API, of DBFS and of the workspace tree, each under its own
// prefix.
type fileStore struct {
	mu      sync.Mutex
	limit   int64
	used    int64
	files   map[string]*storedFile
	dirs    map[string]time.Time
	uploads map[string]int64
}

var errTooManyFiles = errors.New("storing file: too many files")

func newFileStore() *fileStore {
	return &fileStore{
		limit: defaultFileMemory, files: make(map[string]*storedFile), dirs: make(map[string]time.Time),
		uploads: make(map[string]int64),
	}
}

// receive reads a whole body. It keeps a file that fits into memory, and only counts and hashes one
// that does not.
func (s *fileStore) receive(name string, body io.Reader, now time.Time) error {
	in := &intake{store: s, name: name, sum: sha256.New(), keeping: true}
	s.mu.Lock()
	if _, known := s.files[name]; !known && len(s.files)+len(s.uploads) >= maxFiles {
		s.mu.Unlock()
		return errTooManyFiles
	}
	s.uploads[name] = 0
	s.mu.Unlock()

	_, err := io.Copy(in, body)

	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.uploads, name)
	if err != nil {
		s.used -= int64(in.kept.Len())
		return err
	}
	s.drop(name)
	s.files[name] = &storedFile{content: in.kept.Bytes(), info: FileInfo{
		Size: in.size, SHA256: hex.EncodeToString(in.sum.Sum(nil)), Kept: in.keeping, Modified: now,
	}}
	return nil
}

// intake is one upload.
type intake struct {
	store   *fileStore
	name    string
	sum     hash.Hash
	size    int64
	keeping bool
	kept    bytes.Buffer
}

func (in *intake) Write(p []byte) (int, error) {
	in.sum.Write(p)
	in.size += int64(len(p))

	s := in.store
	s.mu.Lock()
	s.uploads[in.name] = in.size
	if in.keeping && s.used+int64(len(p)) > s.limit {
		in.keeping = false
		s.used -= int64(in.kept.Len())
		in.kept = bytes.Buffer{}
	}
	if in.keeping {
		s.used += int64(len(p))
	}
	s.mu.Unlock()

	if in.keeping {
		in.kept.Write(p)
	}
	return len(p), nil
}

// drop removes a file. The caller holds the lock.
func (s *fileStore) drop(name string) bool {
	f, found := s.files[name]
	if found {
		s.used -= int64(len(f.content))
		delete(s.files, name)
	}
	return found
}

func (s *fileStore) remove(name string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.drop(name)
}

func (s *fileStore) get(name string) (*storedFile, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f, found := s.files[name]
	return f, found
}

// open returns a reader of a file. Stored contents are never modified.
func (f *storedFile) open() io.ReadSeeker {
	if f.madeUp {
		return io.NewSectionReader(pattern{}, 0, f.info.Size)
	}
	return bytes.NewReader(f.content)
}

// pattern is an endless reader of known contents: the byte at i is i mod 251.
type pattern struct{}

func (pattern) ReadAt(p []byte, off int64) (int, error) {
	for i := range p {
		p[i] = byte((off + int64(i)) % patternPeriod)
	}
	return len(p), nil
}

// File returns a file by its path in the Files API, such as /Volumes/main/default/v/f.
func (w *Workspace) File(path string) (FileInfo, bool) {
	f, found := w.files.get(filesPrefix + path)
	if !found {
		return FileInfo{}, false
	}
	return f.info, true
}

// PutFile stores a file as an upload would.
func (w *Workspace) PutFile(path string, content []byte) error {
	return w.files.receive(filesPrefix+path, bytes.NewReader(content), w.now())
}

// PutLargeFile makes a file of any size without using memory: the byte at i is i mod 251.
func (w *Workspace) PutLargeFile(path string, size int64) {
	s := w.files
	s.mu.Lock()
	defer s.mu.Unlock()
	s.drop(filesPrefix + path)
	s.files[filesPrefix+path] = &storedFile{madeUp: true, info: FileInfo{Size: size, Kept: true, Modified: w.now()}}
}

// Uploading returns how many bytes of a running upload have arrived.
func (w *Workspace) Uploading(path string) (received int64, running bool) {
	w.files.mu.Lock()
	defer w.files.mu.Unlock()
	received, running = w.files.uploads[filesPrefix+path]
	return received, running
}
