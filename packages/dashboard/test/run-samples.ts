// Runs the samples by which receivers verify signatures against right and wrong requests.
import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { newSecret } from '@keepsend/engine'
import { Webhook } from 'standardwebhooks'
import { onTestFinished } from 'vitest'
import { VERIFY_SAMPLES } from '../src/lib/portal/endpoints/verify-samples.ts'

const body = '{"type":"order.paid","data":{"id":"o1","text":"héllo"}}'
const [secret, other] = [newSecret(), newSecret()]

function signed(ageSeconds: number, ...secrets: string[]): Record<string, string> {
  const at = new Date(Date.now() - ageSeconds * 1000)
  return {
    'webhook-id': 'evt_1',
    'webhook-timestamp': String(Math.floor(at.getTime() / 1000)),
    'webhook-signature': secrets.map((one) => new Webhook(one).sign('evt_1', at, body)).join(' '),
  }
}

const right = signed(0, secret)
const REQUESTS: Record<string, { headers: Record<string, string>; body: string; accepted: boolean }> = {
  right: { headers: right, body, accepted: true },
  'signed by two secrets, the other first': { headers: signed(0, other, secret), body, accepted: true },
  'two minutes old': { headers: signed(120, secret), body, accepted: true },
  'signed by another secret': { headers: signed(0, other), body, accepted: false },
  'six minutes old': { headers: signed(360, secret), body, accepted: false },
  'of the future': { headers: signed(-360, secret), body, accepted: false },
  'with another body': { headers: right, body: body.replace('o1', 'o2'), accepted: false },
  'with another id': { headers: { ...right, 'webhook-id': 'evt_2' }, body, accepted: false },
  'with another time': {
    headers: { ...right, 'webhook-timestamp': String(Number(right['webhook-timestamp']) - 1) },
    body,
    accepted: false,
  },
  'with a time that is none': { headers: { ...right, 'webhook-timestamp': 'soon' }, body, accepted: false },
  'without a signature': { headers: { ...right, 'webhook-signature': '' }, body, accepted: false },
  'with garbage': { headers: { ...right, 'webhook-signature': 'v1,é v1a,x v1' }, body, accepted: false },
}

/** Whether each request is to be accepted, by its name. */
export const EXPECTED = Object.entries(REQUESTS).map(([name, { accepted }]) => [name, accepted])

export type Language = (typeof VERIFY_SAMPLES)[number]['id']

/** A program around the sample: it reads the file that its first argument names, and prints an array of booleans as JSON. */
interface Program {
  command: readonly string[]
  file: string
  around: (sample: string) => string
}

const PROGRAMS: Record<Language, Program> = {
  node: {
    command: [process.execPath],
    file: 'sample.mjs',
    around: (sample) => `${sample}
import { readFileSync } from 'node:fs'
const { secret, requests } = JSON.parse(readFileSync(process.argv[2], 'utf8'))
const accepts = ({ headers, body }) => { try { verify(secret, headers, Buffer.from(body)); return true } catch { return false } }
console.log(JSON.stringify(requests.map(accepts)))`,
  },
  python: {
    command: ['python3'],
    file: 'sample.py',
    around: (sample) => `${sample}

import json, sys
given = json.load(open(sys.argv[1], encoding="utf8"))
def accepts(request):
    try:
        verify(given["secret"], request["headers"], request["body"].encode())
        return True
    except Exception:
        return False
print(json.dumps([accepts(one) for one in given["requests"]]))`,
  },
  go: {
    command: ['go', 'run'],
    file: 'sample.go',
    around: (sample) => `package main

import (
  "crypto/hmac"
  "crypto/sha256"
  "encoding/base64"
  "encoding/json"
  "errors"
  "net/http"
  "os"
  "strconv"
  "strings"
  "time"
)

${sample}

func main() {
  content, _ := os.ReadFile(os.Args[1])
  var given struct {
    Secret   string
    Requests []struct {
      Headers map[string]string
      Body    string
    }
  }
  if err := json.Unmarshal(content, &given); err != nil {
    panic(err)
  }
  answers := []bool{}
  for _, request := range given.Requests {
    header := http.Header{}
    for name, value := range request.Headers {
      header.Set(name, value)
    }
    answers = append(answers, verify(given.Secret, header, []byte(request.Body)) == nil)
  }
  json.NewEncoder(os.Stdout).Encode(answers)
}`,
  },
  php: {
    command: ['php'],
    file: 'sample.php',
    around: (sample) => `${sample}

$given = json_decode(file_get_contents($argv[1]), true);
$answers = [];
foreach ($given['requests'] as $request) {
    try {
        verify($given['secret'], $request['headers'], $request['body']);
        $answers[] = true;
    } catch (Exception $error) {
        $answers[] = false;
    }
}
echo json_encode($answers);`,
  },
  ruby: {
    command: ['ruby'],
    file: 'sample.rb',
    around: (sample) => `${sample}

require 'json'
given = JSON.parse(File.read(ARGV[0], encoding: 'UTF-8'))
answers = given['requests'].map do |request|
  verify(given['secret'], request['headers'], request['body'])
  true
rescue StandardError
  false
end
puts JSON.generate(answers)`,
  },
}

/**
 * Whether the sample in a language accepts each of the requests, by its name.
 *
 * @throws {Error} if the language is not installed, or the program does not run
 */
export function answersOf(language: Language): [name: string, accepted: boolean | undefined][] {
  const sample = VERIFY_SAMPLES.find(({ id }) => id === language)?.code ?? ''
  const { command, file, around } = PROGRAMS[language]
  const folder = mkdtempSync(join(tmpdir(), 'keepsend-samples-'))
  onTestFinished(() => rmSync(folder, { recursive: true }))
  const requests = join(folder, 'requests.json')
  writeFileSync(requests, JSON.stringify({ secret, requests: Object.values(REQUESTS) }))
  writeFileSync(join(folder, file), around(sample))
  const [program = '', ...options] = command
  const answers = JSON.parse(
    execFileSync(program, [...options, join(folder, file), requests], { encoding: 'utf8' }),
  ) as boolean[]
  return Object.keys(REQUESTS).map((name, at) => [name, answers[at]])
}
