package clients_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"database/sql"
	"fmt"
	"net/http"
	"os"
	"strconv"
	"strings"

	dbsql "github.com/databricks/databricks-sql-go"
	"github.com/databricks/databricks-sql-go/logger"
)

func init() {
	_ = logger.SetLogLevel("disabled") // it logs what its errors say
	register(Client{
		Name: "databricks-sql-go", Version: moduleVersion("github.com/databricks/databricks-sql-go"), TLS: true, Scope: "sql", Works: "1",
		Run: func(ctx context.Context, at Target, _ Call) Seen {
			return failed(query(ctx, at))
		},
		Advice: []Advice{{
			Cases: []Case{adminOutage},
			Do:    "`WithRetries(-1, 0, 0)`",
			Run: func(ctx context.Context, at Target, _ Call) Seen {
				return failed(query(ctx, at, dbsql.WithRetries(-1, 0, 0)))
			},
			Maker: retries,
		}},
	})
}

func query(ctx context.Context, at Target, options ...dbsql.ConnOption) error {
	pem, err := os.ReadFile(at.CA)
	if err != nil {
		return err
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(pem)
	host, port, _ := strings.Cut(at.Host, ":")
	number, err := strconv.Atoi(port)
	if err != nil {
		return err
	}
	connector, err := dbsql.NewConnector(append(options,
		dbsql.WithServerHostname("https://"+host), dbsql.WithPort(number), dbsql.WithHTTPPath(warehousePath), dbsql.WithAccessToken(at.Token),
		dbsql.WithTransport(&http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots}}),
	)...)
	if err != nil {
		return err
	}
	db := sql.OpenDB(connector)
	defer db.Close()
	var n int
	if err := db.QueryRowContext(ctx, "SELECT 1").Scan(&n); err != nil {
		return err
	}
	at.Show(fmt.Sprint(n))
	return nil
}
