package fakeworkspace

import (
	"errors"
	"io"
	"net/http"
	"path"
	"strconv"
	"strings"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/mem"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
)

// SparkService is the gRPC service that Spark Connect clients call.
const SparkService = "spark.connect.SparkConnectService"

func (w *Workspace) registerSpark() {
	// The authorization metadata is the Authorization header, which the front door has checked.
	w.on(w.spark.ServeHTTP, "/"+SparkService+"/{method}")
}

// newSparkServer echoes messages of any type, byte for byte. ExecutePlan echoes each three times, like a
// server stream; methods that start with Fail end in FAILED_PRECONDITION; all others echo each message
// once, which suits unary calls and bidirectional streams. Trailers hold the number of messages and the
// id of the token.
func newSparkServer() *grpc.Server {
	return grpc.NewServer(
		grpc.ForceServerCodecV2(rawCodec{}),
		grpc.UnknownServiceHandler(func(_ any, stream grpc.ServerStream) error {
			full, _ := grpc.MethodFromServerStream(stream)
			return echoMessages(path.Base(full), stream)
		}),
	)
}

func echoMessages(method string, stream grpc.ServerStream) error {
	copies := 1
	if method == "ExecutePlan" {
		copies = 3
	}
	received := 0
	caller, _ := CallerFrom(stream.Context())
	defer func() {
		stream.SetTrailer(metadata.Pairs("x-messages-received", strconv.Itoa(received), "x-token-id", caller.TokenID))
	}()
	if strings.HasPrefix(method, "Fail") {
		return status.Error(codes.FailedPrecondition, "asked to fail")
	}
	for {
		var message rawMessage
		if err := stream.RecvMsg(&message); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return err
		}
		received++
		for range copies {
			if err := stream.SendMsg(&message); err != nil {
				return err
			}
		}
	}
}

// rawMessage is an encoded protobuf message.
type rawMessage []byte

type rawCodec struct{}

// Name is the name of the clients' codec: the content type must stay application/grpc+proto.
func (rawCodec) Name() string { return "proto" }

func (rawCodec) Marshal(v any) (mem.BufferSlice, error) {
	message, isRaw := v.(*rawMessage)
	if !isRaw {
		return nil, errors.New("encoding message: not raw")
	}
	return mem.BufferSlice{mem.SliceBuffer(*message)}, nil
}

func (rawCodec) Unmarshal(data mem.BufferSlice, v any) error {
	message, isRaw := v.(*rawMessage)
	if !isRaw {
		return errors.New("decoding message: not raw")
	}
	*message = data.Materialize()
	return nil
}

var _ http.Handler = (*grpc.Server)(nil)
