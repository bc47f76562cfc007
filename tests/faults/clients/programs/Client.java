// Takes a video through a whole job with the JDK's HttpClient, which offers HTTP/2 with its first
// request, and prints the results: java Client.java URL VIDEO

import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpRequest.BodyPublishers;
import java.net.http.HttpResponse.BodyHandlers;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;

public class Client {
    private static final HttpClient HTTP = HttpClient.newHttpClient();

    public static void main(String[] arguments) throws Exception {
        String url = arguments[0];
        String disposition = "Content-Disposition: form-data; name=";
        String before = "--b\r\n" + disposition + "\"pipeline_id\"\r\n\r\nnothing\r\n"
            + "--b\r\n" + disposition + "\"file\"; filename=\"vidéo.mp4\"\r\n\r\n";
        byte[] video = Files.readAllBytes(Path.of(arguments[1]));
        List<byte[]> form = List.of(before.getBytes(), video, "\r\n--b--\r\n".getBytes());
        String submitted = send(HttpRequest.newBuilder(URI.create(url + "/video/submit"))
            .header("Content-Type", "multipart/form-data; boundary=b")
            .POST(BodyPublishers.ofByteArrays(form)));
        String id = submitted.replaceAll(".*\"job_id\":\"([^\"]+)\".*", "$1");
        while (!get(url + "/video/status/" + id).contains("\"completed\"")) {
            Thread.sleep(50);
        }
        System.out.println(get(url + "/video/results/" + id));
    }

    private static String get(String url) throws Exception {
        return send(HttpRequest.newBuilder(URI.create(url)));
    }

    private static String send(HttpRequest.Builder request) throws Exception {
        var answer = HTTP.send(request.build(), BodyHandlers.ofString());
        if (answer.statusCode() != 200) {
            throw new IllegalStateException(answer.statusCode() + ": " + answer.body());
        }
        return answer.body();
    }
}
