package manifests_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/scopegate/scopegate/internal/testing/processtest"
)

var site = regexp.MustCompile(`(?ms)^https?://:(\d+) \{\n(.*?)^\}`)

// sites returns the sites of a Caddyfile by their ports.
func sites(caddyfile string) map[int]string {
	found := make(map[int]string)
	for _, match := range site.FindAllStringSubmatch(caddyfile, -1) {
		port, _ := strconv.Atoi(match[1]) // the pattern has digits only
		found[port] = match[2]
	}
	return found
}

// machine is a container's files below a folder of the test's, and its ports as others
// that are free. Its text is the manifests' with those in their place.
type machine struct {
	root  string
	ports map[int]string // "8081" of the container, as an address here
	text  *strings.Replacer
}

// newMachine mounts a container's volumes. Of content, it needs a value for each key of
// a ConfigMap or a Secret, as "<name>/<key>", and of each token, as "token/<audience>".
func newMachine(t *testing.T, c container, p pod, caddyfile string, content map[string]string) *machine {
	t.Helper()
	root, err := os.MkdirTemp("", "sg") // short, because the paths of sockets are
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(root) })
	m := &machine{root: root, ports: make(map[int]string)}
	var replaced []string
	for port := range sites(caddyfile) {
		m.ports[port] = processtest.FreeAddress(t)
		_, free, _ := strings.Cut(m.ports[port], ":")
		replaced = append(replaced, "://:"+strconv.Itoa(port), "://:"+free)
	}
	for _, mount := range c.VolumeMounts {
		folder := filepath.Join(root, mount.MountPath)
		replaced = append(replaced, mount.MountPath, folder)
		if err := os.MkdirAll(folder, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	m.text = strings.NewReplacer(replaced...)
	content["scopegate/Caddyfile"] = m.text.Replace(caddyfile)
	for _, mount := range c.VolumeMounts {
		m.fill(t, mount.MountPath, mount.ReadOnly, volumeOf(t, p, mount.Name), content)
	}
	return m
}

func volumeOf(t *testing.T, p pod, name string) volume {
	t.Helper()
	for _, volume := range p.Volumes {
		if volume.Name == name {
			return volume
		}
	}
	t.Fatalf("no volume %s", name)
	return volume{}
}

// fill writes the files of a volume.
func (m *machine) fill(t *testing.T, folder string, readOnly bool, v volume, content map[string]string) {
	t.Helper()
	if (v.Projected == nil) == (v.EmptyDir == nil) {
		t.Fatalf("volume %s is neither projected nor an emptyDir", v.Name)
	}
	if v.EmptyDir != nil {
		if readOnly {
			t.Errorf("volume %s is empty and cannot be written", v.Name)
		}
		return
	}
	if !readOnly {
		t.Errorf("volume %s is not mounted read-only", v.Name)
	}
	write := func(key, name string) {
		value, ok := content[key]
		if !ok {
			t.Fatalf("volume %s wants %s, which nothing documents", v.Name, key)
		}
		name = filepath.Join(m.root, folder, name)
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, []byte(value), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, source := range v.Projected.Sources {
		for _, from := range []*items{source.ConfigMap, source.Secret} {
			if from == nil {
				continue
			}
			for _, item := range from.Items {
				write(from.Name+"/"+item.Key, item.Path)
			}
		}
		if source.ServiceAccountToken != nil {
			write("token/"+source.ServiceAccountToken.Audience, source.ServiceAccountToken.Path)
		}
	}
}
