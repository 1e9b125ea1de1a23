// The relay on Go and gorilla/websocket. Arguments: port, heartbeat in seconds.
package main

import (
	"bytes"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"log"
	"net"
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/gorilla/websocket"
)

const (
	path          = "/v1/ws/"
	seats         = 3
	maxMessage    = 65536
	writeDeadline = 5 * time.Second
)

// participant is one socket. Whoever has something for it writes it at once: a goroutine of its own for writing would cost a
// switch for each message and a stack for each connection.
type participant struct {
	conn  *websocket.Conn
	write sync.Mutex
}

func (p *participant) send(kind int, data []byte) {
	p.write.Lock()
	defer p.write.Unlock()
	p.conn.SetWriteDeadline(time.Now().Add(writeDeadline))
	if p.conn.WriteMessage(kind, data) != nil {
		p.conn.Close()
	}
}

type channel struct {
	mutex   sync.Mutex
	members []*participant
}

var (
	registry sync.Mutex
	channels = map[string]*channel{}
	everyone = map[*participant]struct{}{}
	upgrader = websocket.Upgrader{
		ReadBufferSize:  1024,
		WriteBufferSize: 1024,
		WriteBufferPool: &sync.Pool{},
		CheckOrigin:     func(*http.Request) bool { return true },
	}
)

type sender struct {
	Remote string `json:"remote"`
	UA     string `json:"ua,omitempty"`
}

func join(id string, p *participant) (string, *channel, int) {
	registry.Lock()
	defer registry.Unlock()
	room := channels[id]
	if id == "" {
		var octets [16]byte
		if _, err := rand.Read(octets[:]); err != nil {
			log.Fatal(err)
		}
		id, room = base64.RawURLEncoding.EncodeToString(octets[:]), &channel{}
		channels[id] = room
	}
	if room == nil {
		return "", nil, 4404
	}
	room.mutex.Lock()
	defer room.mutex.Unlock()
	if len(room.members) == seats {
		return "", nil, 4409
	}
	room.members = append(room.members, p)
	everyone[p] = struct{}{}
	return id, room, 0
}

func leave(id string, room *channel, p *participant) {
	registry.Lock()
	defer registry.Unlock()
	room.mutex.Lock()
	defer room.mutex.Unlock()
	delete(everyone, p)
	for i, member := range room.members {
		if member == p {
			room.members = append(room.members[:i], room.members[i+1:]...)
			break
		}
	}
	if len(room.members) == 0 {
		delete(channels, id)
	}
}

func serve(response http.ResponseWriter, request *http.Request) {
	conn, err := upgrader.Upgrade(response, request, nil)
	if err != nil {
		return
	}
	defer conn.Close()
	conn.SetReadLimit(maxMessage)
	p := &participant{conn: conn}
	id, room, refused := join(strings.TrimPrefix(request.URL.Path, path), p)
	if refused != 0 {
		p.send(websocket.CloseMessage, websocket.FormatCloseMessage(refused, ""))
		return
	}
	defer leave(id, room, p)
	host, _, _ := net.SplitHostPort(request.RemoteAddr)
	ending, _ := json.Marshal(sender{host, request.UserAgent()})
	ending = append(append([]byte(`,"sender":`), ending...), '}')
	p.send(websocket.TextMessage, []byte(fmt.Sprintf(`{"channelid":"%s","link":"%s%s"}`, id, path, id)))

	var envelope bytes.Buffer
	var others [seats]*participant
	for {
		kind, text, err := conn.ReadMessage()
		if err != nil {
			return
		}
		if kind != websocket.TextMessage {
			p.send(websocket.CloseMessage, websocket.FormatCloseMessage(1003, "text only"))
			return
		}
		envelope.Reset()
		envelope.WriteString(`{"message":`)
		encode(&envelope, bytes.TrimSpace(text))
		envelope.Write(ending)
		room.mutex.Lock()
		count := copy(others[:], room.members)
		room.mutex.Unlock()
		for _, other := range others[:count] {
			if other != p {
				other.send(websocket.TextMessage, envelope.Bytes())
			}
		}
	}
}

// encode writes a JSON string; most messages are base64url and need no escape.
func encode(out *bytes.Buffer, text []byte) {
	for _, octet := range text {
		if octet < 0x20 || octet >= 0x7F || octet == '"' || octet == '\\' {
			escaped, _ := json.Marshal(string(text))
			out.Write(escaped)
			return
		}
	}
	out.WriteByte('"')
	out.Write(text)
	out.WriteByte('"')
}

func pingAll(every time.Duration) {
	for range time.Tick(every) {
		registry.Lock()
		all := make([]*participant, 0, len(everyone))
		for p := range everyone {
			all = append(all, p)
		}
		registry.Unlock()
		for _, p := range all {
			p.send(websocket.PingMessage, nil)
		}
	}
}

func main() {
	heartbeat, err := strconv.Atoi(os.Args[2])
	if err != nil {
		log.Fatal(err)
	}
	if heartbeat > 0 {
		go pingAll(time.Duration(heartbeat) * time.Second)
	}
	http.HandleFunc(path, serve)
	log.Fatal(http.ListenAndServe(":"+os.Args[1], nil))
}
