// The JDK's java.net.http.WebSocket as a client: the checks and the output of `common.py`.
//
// It has no compression, always offers none, and is no server.

import java.io.FileInputStream;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.WebSocket;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.security.KeyStore;
import java.security.cert.CertificateFactory;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import javax.net.ssl.SSLContext;
import javax.net.ssl.TrustManagerFactory;

public class Client {
    static final int TIMEOUT = 60;
    static final int[] SIZES = {0, 1, 125, 126, 127, 65_535, 65_536, 200_000};
    static final int LARGE = 16 << 20;
    static final List<Closed> CLOSES = List.of(
            new Closed(1000, "done"),
            new Closed(1001, "going away"),
            new Closed(3000, ""),
            new Closed(4999, "Grüße 😀"));

    record Closed(int code, String reason) {}

    interface Check {
        void run() throws Exception;
    }

    static String uri;
    static HttpClient client;

    /** A connection; everything that comes is kept until it is asked for. */
    static class Connection implements WebSocket.Listener {
        final WebSocket socket;
        final BlockingQueue<Object> events = new LinkedBlockingQueue<>();
        private final StringBuilder text = new StringBuilder();
        private final List<byte[]> binary = new ArrayList<>();

        Connection(String path, String... subprotocols) throws Exception {
            WebSocket.Builder builder = client.newWebSocketBuilder();
            if (subprotocols.length > 0) {
                String[] others = Arrays.copyOfRange(subprotocols, 1, subprotocols.length);
                builder.subprotocols(subprotocols[0], others);
            }
            socket = wait(builder.buildAsync(URI.create(uri + path), this));
        }

        @Override
        public CompletionStage<?> onText(WebSocket socket, CharSequence part, boolean last) {
            text.append(part);
            if (last) {
                events.add(text.toString());
                text.setLength(0);
            }
            socket.request(1);
            return null;
        }

        @Override
        public CompletionStage<?> onBinary(WebSocket socket, ByteBuffer part, boolean last) {
            byte[] bytes = new byte[part.remaining()];
            part.get(bytes);
            binary.add(bytes);
            if (last) {
                ByteBuffer whole = ByteBuffer.allocate(binary.stream().mapToInt(b -> b.length).sum());
                binary.forEach(whole::put);
                binary.clear();
                events.add(whole.flip());
            }
            socket.request(1);
            return null;
        }

        @Override
        public CompletionStage<?> onPong(WebSocket socket, ByteBuffer payload) {
            events.add("pong " + StandardCharsets.UTF_8.decode(payload));
            socket.request(1);
            return null;
        }

        @Override
        public CompletionStage<?> onClose(WebSocket socket, int code, String reason) {
            events.add(new Closed(code, reason));
            return null;
        }

        @Override
        public void onError(WebSocket socket, Throwable error) {
            events.add(error);
        }

        void send(String message) throws Exception {
            wait(socket.sendText(message, true));
        }

        void send(ByteBuffer message) throws Exception {
            wait(socket.sendBinary(message.duplicate(), true));
        }

        void expect(Object wanted) throws Exception {
            Object event = events.poll(TIMEOUT, TimeUnit.SECONDS);
            if (!wanted.equals(event)) {
                throw new AssertionError("not " + brief(wanted) + " but " + brief(event));
            }
        }

        void exchange(String message) throws Exception {
            send(message);
            expect(message);
        }

        void exchange(ByteBuffer message) throws Exception {
            send(message);
            expect(message);
        }

        /** The answer to a Close frame has its code and no reason. */
        void close(int code, String reason) throws Exception {
            wait(socket.sendClose(code, reason));
            expect(new Closed(code, ""));
        }

        void close() throws Exception {
            close(1000, "");
        }

        static <T> T wait(CompletableFuture<T> future) throws Exception {
            return future.get(TIMEOUT, TimeUnit.SECONDS);
        }
    }

    static String brief(Object event) {
        String text = String.valueOf(event);
        return text.length() < 200 ? text : text.length() + " characters";
    }

    /** A text of this many bytes, with characters of one to four bytes. */
    static String text(int size) {
        String line = "Käthe's tide table: 😀 𝄞 €; ";
        int length = line.getBytes(StandardCharsets.UTF_8).length;
        return line.repeat(size / length) + ".".repeat(size % length);
    }

    static ByteBuffer data(int size) {
        byte[] bytes = new byte[size];
        for (int index = 0; index < size; index++) bytes[index] = (byte) index;
        return ByteBuffer.wrap(bytes);
    }

    static void texts() throws Exception {
        Connection connection = new Connection("/");
        for (int size : SIZES) connection.exchange(text(size));
        connection.close();
    }

    static void binaries() throws Exception {
        Connection connection = new Connection("/");
        for (int size : SIZES) connection.exchange(data(size));
        connection.close();
    }

    static void large() throws Exception {
        Connection connection = new Connection("/");
        connection.exchange(text(LARGE));
        connection.exchange(data(LARGE));
        connection.close();
    }

    static void many() throws Exception {
        Connection connection = new Connection("/");
        for (int number = 0; number < 2000; number++) connection.send(text(number % 300));
        for (int number = 0; number < 2000; number++) connection.expect(text(number % 300));
        connection.close();
    }

    static void fragmentsSent() throws Exception {
        Connection connection = new Connection("/");
        for (int size : new int[] {1000, 200_000, LARGE}) {
            String text = text(size);
            int[] cuts = {0, 0, 7, 7, 500, text.length()};
            for (int part = 1; part < cuts.length; part++) {
                String piece = text.substring(cuts[part - 1], cuts[part]);
                Connection.wait(connection.socket.sendText(piece, part == cuts.length - 1));
            }
            connection.expect(text);
            ByteBuffer data = data(size);
            Connection.wait(connection.socket.sendBinary(data.slice(0, 7), false));
            Connection.wait(connection.socket.sendPing(ByteBuffer.wrap("between".getBytes())));
            Connection.wait(connection.socket.sendBinary(data.slice(7, 0), false));
            Connection.wait(connection.socket.sendBinary(data.slice(7, size - 7), true));
            connection.expect("pong between");
            connection.expect(data);
        }
        connection.close();
    }

    static void fragmentsReceived() throws Exception {
        Connection connection = new Connection("/fragments");
        for (int size : SIZES) {
            connection.exchange(text(size));
            connection.exchange(data(size));
        }
        connection.exchange(data(LARGE));
        connection.close();
    }

    static void pings() throws Exception {
        Connection connection = new Connection("/");
        for (String payload : List.of("", "framewire", "p".repeat(125))) {
            Connection.wait(connection.socket.sendPing(ByteBuffer.wrap(payload.getBytes())));
            connection.expect("pong " + payload);
        }
        connection.exchange("and on");
        connection.close();
    }

    static void pingsAnswered() throws Exception {
        Connection connection = new Connection("/commands");
        for (String payload : List.of("", "framewire", "p".repeat(125))) {
            connection.send("ping " + payload);
            connection.expect("pong " + payload);
        }
        connection.close();
    }

    static void closes() throws Exception {
        for (Closed closed : CLOSES) new Connection("/").close(closed.code, closed.reason);
    }

    static void closesTold() throws Exception {
        for (Closed closed : CLOSES) {
            new Connection("/commands").close(closed.code, closed.reason);
            Connection other = new Connection("/commands");
            other.send("closed");
            other.expect(closed.code + " " + closed.reason);
            other.close();
        }
    }

    static void closedByServer() throws Exception {
        for (Closed closed : CLOSES) {
            Connection connection = new Connection("/commands");
            connection.send("close " + closed.code + " " + closed.reason);
            connection.expect(closed);
        }
    }

    static void subprotocol() throws Exception {
        Connection chosen = new Connection("/", "other", "chat.v2");
        expectSubprotocol(chosen, "chat.v2");
        Connection without = new Connection("/", "other");
        expectSubprotocol(without, "");
    }

    static void expectSubprotocol(Connection connection, String wanted) throws Exception {
        String subprotocol = connection.socket.getSubprotocol();
        if (!subprotocol.equals(wanted)) throw new AssertionError("it is '" + subprotocol + "'");
        connection.exchange(wanted);
        connection.close();
    }

    static SSLContext trust(String file) throws Exception {
        KeyStore store = KeyStore.getInstance(KeyStore.getDefaultType());
        store.load(null, null);
        try (FileInputStream pem = new FileInputStream(file)) {
            var certificate = CertificateFactory.getInstance("X.509").generateCertificate(pem);
            store.setCertificateEntry("ca", certificate);
        }
        TrustManagerFactory factory =
                TrustManagerFactory.getInstance(TrustManagerFactory.getDefaultAlgorithm());
        factory.init(store);
        SSLContext context = SSLContext.getInstance("TLS");
        context.init(null, factory.getTrustManagers(), null);
        return context;
    }

    public static void main(String[] arguments) throws Exception {
        boolean commands = false;
        List<String> only = new ArrayList<>();
        HttpClient.Builder builder = HttpClient.newBuilder();
        for (int index = 0; index < arguments.length; index++) {
            switch (arguments[index]) {
                case "--commands" -> commands = true;
                case "--ca" -> builder.sslContext(trust(arguments[++index]));
                case "--compression" -> index++;
                case "--only" -> only.add(arguments[++index]);
                default -> uri = arguments[index].replaceAll("/+$", "");
            }
        }
        client = builder.build();
        Map<String, Check> checks = new LinkedHashMap<>();
        checks.put("texts", Client::texts);
        checks.put("binaries", Client::binaries);
        checks.put("large", Client::large);
        checks.put("many", Client::many);
        checks.put("fragments_sent", Client::fragmentsSent);
        checks.put("pings", Client::pings);
        checks.put("closes", Client::closes);
        checks.put("subprotocol", Client::subprotocol);
        if (commands) {
            checks.put("fragments_received", Client::fragmentsReceived);
            checks.put("pings_answered", Client::pingsAnswered);
            checks.put("closes_told", Client::closesTold);
            checks.put("closed_by_server", Client::closedByServer);
        }
        if (!only.isEmpty()) checks.keySet().retainAll(only);
        for (var check : checks.entrySet()) {
            String title = check.getKey().replace('_', ' ');
            try {
                check.getValue().run();
                System.out.println("ok " + title);
            } catch (Exception | AssertionError error) {
                System.out.println("failed " + title + ": " + error);
            }
        }
        System.out.println("done");
        System.exit(0);
    }
}
