/** How receivers verify a signature, in the languages that most of them are written in. A test runs those for Node and Python. */
export const VERIFY_SAMPLES = [
  {
    id: 'node',
    name: 'Node',
    code: `import { createHmac, timingSafeEqual } from 'node:crypto'

// body: the raw bytes, before anything parses them
export function verify(secret, headers, body) {
  const id = headers['webhook-id']
  const sentAt = headers['webhook-timestamp']
  if (!(Math.abs(Date.now() / 1000 - Number(sentAt)) < 300)) throw new Error('too old')

  const key = Buffer.from(secret.slice('whsec_'.length), 'base64')
  const expected = createHmac('sha256', key).update(\`\${id}.\${sentAt}.\`).update(body).digest()

  // one signature for each active secret: check them all
  const fits = headers['webhook-signature'].split(' ').some((entry) => {
    const [version, text = ''] = entry.split(',')
    const given = Buffer.from(text, 'base64')
    return version === 'v1' && given.length === expected.length && timingSafeEqual(given, expected)
  })
  if (!fits) throw new Error('the signature does not fit')
}`,
  },
  {
    id: 'python',
    name: 'Python',
    code: `import base64, hashlib, hmac, time

# body: the raw bytes, before anything parses them
def verify(secret, headers, body):
    id, sent_at = headers["webhook-id"], headers["webhook-timestamp"]
    if abs(time.time() - int(sent_at)) > 300:
        raise ValueError("too old")

    key = base64.b64decode(secret.removeprefix("whsec_"))
    content = f"{id}.{sent_at}.".encode() + body
    expected = base64.b64encode(hmac.new(key, content, hashlib.sha256).digest())

    # one signature for each active secret: check them all
    given = headers["webhook-signature"].encode().split(b" ")
    if not any(hmac.compare_digest(one, b"v1," + expected) for one in given):
        raise ValueError("the signature does not fit")`,
  },
  {
    id: 'go',
    name: 'Go',
    code: `// body: the raw bytes, before anything parses them
func verify(secret string, header http.Header, body []byte) error {
  id, sentAt := header.Get("webhook-id"), header.Get("webhook-timestamp")
  seconds, err := strconv.ParseInt(sentAt, 10, 64)
  if err != nil || time.Since(time.Unix(seconds, 0)).Abs() > 5*time.Minute {
    return errors.New("too old")
  }
  key, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(secret, "whsec_"))
  if err != nil {
    return err
  }
  mac := hmac.New(sha256.New, key)
  mac.Write([]byte(id + "." + sentAt + "."))
  mac.Write(body)
  expected := "v1," + base64.StdEncoding.EncodeToString(mac.Sum(nil))

  // one signature for each active secret: check them all
  for _, given := range strings.Fields(header.Get("webhook-signature")) {
    if hmac.Equal([]byte(given), []byte(expected)) {
      return nil
    }
  }
  return errors.New("the signature does not fit")
}`,
  },
  {
    id: 'php',
    name: 'PHP',
    code: `<?php
// $body: the raw bytes, from file_get_contents('php://input')
function verify(string $secret, array $headers, string $body): void
{
    $id = $headers['webhook-id'];
    $sentAt = $headers['webhook-timestamp'];
    if (abs(time() - (int) $sentAt) > 300) {
        throw new Exception('too old');
    }

    $key = base64_decode(substr($secret, strlen('whsec_')));
    $expected = 'v1,' . base64_encode(hash_hmac('sha256', "$id.$sentAt.$body", $key, true));

    // one signature for each active secret: check them all
    foreach (explode(' ', $headers['webhook-signature']) as $given) {
        if (hash_equals($expected, $given)) {
            return;
        }
    }
    throw new Exception('the signature does not fit');
}`,
  },
  {
    id: 'ruby',
    name: 'Ruby',
    code: `require 'base64'
require 'openssl'

# body: the raw bytes, before anything parses them
def verify(secret, headers, body)
  id, sent_at = headers.values_at('webhook-id', 'webhook-timestamp')
  raise 'too old' if (Time.now.to_i - Integer(sent_at, 10)).abs > 300

  key = Base64.strict_decode64(secret.delete_prefix('whsec_'))
  digest = OpenSSL::HMAC.digest('sha256', key, "#{id}.#{sent_at}.#{body}")
  expected = "v1,#{Base64.strict_encode64(digest)}"

  # one signature for each active secret: check them all
  given = headers['webhook-signature'].split
  fits = given.any? { |one| OpenSSL.secure_compare(one, expected) }
  raise 'the signature does not fit' unless fits
end`,
  },
] as const
