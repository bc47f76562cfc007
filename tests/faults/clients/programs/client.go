// Takes a video through a whole job with net/http, and prints the results: go run client.go URL VIDEO
package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"mime/multipart"
	"net/http"
	"os"
	"time"
)

type job struct {
	Id     string `json:"job_id"`
	Status string `json:"status"`
}

func body(answer *http.Response, err error) []byte {
	check(err)
	defer answer.Body.Close()
	content, err := io.ReadAll(answer.Body)
	check(err)
	if answer.StatusCode != 200 {
		log.Fatalf("%s: %s", answer.Status, content)
	}
	return content
}

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}

func main() {
	url, form := os.Args[1], bytes.Buffer{}
	writer := multipart.NewWriter(&form)
	check(writer.WriteField("pipeline_id", "nothing"))
	part, err := writer.CreateFormFile("file", "vidéo.mp4")
	check(err)
	video, err := os.ReadFile(os.Args[2])
	check(err)
	_, err = part.Write(video)
	check(err)
	check(writer.Close())

	found := job{}
	answer := body(http.Post(url+"/video/submit", writer.FormDataContentType(), &form))
	check(json.Unmarshal(answer, &found))
	for found.Status != "completed" {
		time.Sleep(50 * time.Millisecond)
		check(json.Unmarshal(body(http.Get(url+"/video/status/"+found.Id)), &found))
	}
	fmt.Println(string(body(http.Get(url + "/video/results/" + found.Id))))
}
