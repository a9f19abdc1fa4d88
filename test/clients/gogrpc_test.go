package clients_test

import (
	"context"
	"errors"
	"io"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/scopegate/scopegate/internal/testing/fakeworkspace"
)

func init() {
	register(Client{
		Name: "grpc-go (Spark Connect)", Version: grpc.Version, Scope: "clusters", Works: "hello",
		Calls: []Call{Stream, Upload, Download}, Echo: true,
		Run: func(ctx context.Context, at Target, call Call) Seen {
			conn, err := grpc.NewClient(at.Host, grpc.WithTransportCredentials(insecure.NewCredentials()))
			if err != nil {
				return failed(err)
			}
			defer conn.Close()
			ctx = metadata.AppendToOutgoingContext(ctx,
				"authorization", "Bearer "+at.Token, "x-databricks-cluster-id", fakeworkspace.RunningCluster)
			switch call {
			case Stream:
				return failed(talkGRPC(ctx, at, conn))
			case Upload, Download:
				return failed(transferGRPC(ctx, at, conn))
			}
			answer := new(wrapperspb.StringValue)
			err = conn.Invoke(ctx, sparkMethod("AnalyzePlan"), wrapperspb.String("hello"), answer)
			at.Show(answer.Value)
			return failed(err)
		},
	})
}

func sparkMethod(name string) string { return "/" + fakeworkspace.SparkService + "/" + name }

func openGRPC(ctx context.Context, conn *grpc.ClientConn) (grpc.ClientStream, error) {
	return conn.NewStream(ctx, &grpc.StreamDesc{ServerStreams: true, ClientStreams: true}, sparkMethod("AddArtifacts"))
}

// transferGRPC sends a file in messages and saves what comes back.
func transferGRPC(ctx context.Context, at Target, conn *grpc.ClientConn) error {
	stream, err := openGRPC(ctx, conn)
	if err != nil {
		return err
	}
	return echo(at, func(piece []byte) error {
		return stream.SendMsg(wrapperspb.Bytes(piece))
	}, func() ([]byte, error) {
		piece := new(wrapperspb.BytesValue)
		err := stream.RecvMsg(piece)
		return piece.Value, err
	})
}

// talkGRPC sends each word only when the one before came back.
func talkGRPC(ctx context.Context, at Target, conn *grpc.ClientConn) error {
	stream, err := openGRPC(ctx, conn)
	if err != nil {
		return err
	}
	for _, word := range []string{"word1", "word2", "word3"} {
		if err := stream.SendMsg(wrapperspb.String(word)); err != nil && !errors.Is(err, io.EOF) {
			return err
		}
		answer := new(wrapperspb.StringValue)
		if err := stream.RecvMsg(answer); err != nil {
			return err
		}
		at.Show(answer.Value + "\n")
	}
	return stream.CloseSend()
}
