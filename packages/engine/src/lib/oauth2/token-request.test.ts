import { describe, expect, it } from 'vitest'
import type { OAuth2Auth } from '../credentials.ts'
import type { SendResult } from '../sender.ts'
import { readTokenAnswer, tokenRequest } from './token-request.ts'

const CLIENT: OAuth2Auth = {
  type: 'oauth2',
  tokenUrl: 'https://login.example.com/token',
  clientId: 'client one',
  clientSecret: 's3cret+/:ä',
}
const WITH = { url: CLIENT.tokenUrl, userAgent: 'Keepsend', deadlineMs: 5000 }
const NOW = Date.parse('2026-11-28T12:00:00Z')

function answered(status: number, body: unknown, headers: Record<string, string> = {}): SendResult {
  const text = typeof body === 'string' ? body : JSON.stringify(body)
  return { kind: 'response', status, header: (name) => headers[name], body: new TextEncoder().encode(text) }
}

const read = (result: SendResult) => readTokenAnswer(result, CLIENT, NOW)

describe('a request for a token', () => {
  it('authenticates the client in its header, with both parts form-encoded (RFC 6749, section 2.3.1)', () => {
    const { headers, body, ...rest } = tokenRequest(
      { ...CLIENT, scope: 'a b', audience: 'x&y', resource: 'urn:z' },
      WITH,
    )
    expect(rest).toEqual({ url: CLIENT.tokenUrl, deadlineMs: 5000, maxResponseBytes: 65_536, needsBody: true })
    expect(headers).toMatchObject({ 'content-type': 'application/x-www-form-urlencoded', accept: 'application/json' })
    expect(atob(String(headers['authorization']).replace('Basic ', ''))).toBe('client+one:s3cret%2B%2F%3A%C3%A4')
    expect(body).toBe('grant_type=client_credentials&scope=a+b&audience=x%26y&resource=urn%3Az')
  })

  it('authenticates in the body if the endpoint says so, and only there', () => {
    const { headers, body } = tokenRequest({ ...CLIENT, clientAuthentication: 'body' }, WITH)
    expect(headers).not.toHaveProperty('authorization')
    expect(Object.fromEntries(new URLSearchParams(body))).toEqual({
      grant_type: 'client_credentials',
      client_id: CLIENT.clientId,
      client_secret: CLIENT.clientSecret,
    })
  })
})

describe('the answer of a token server', () => {
  it.each<[string, unknown, number]>([
    ['a number', 3600, 3_600_000],
    ['a text', '3600', 3_600_000],
    ['a text with spaces', ' 60 ', 60_000],
    ['a fraction', 1.5, 1500],
    ['zero', 0, 0],
    ['negative', -5, 0],
    ['a negative text', '-5', 0],
    ['huge', 1e300, 86_400_000],
    ['a huge text', '1e999', 86_400_000],
    ['missing', undefined, 300_000],
    ['null', null, 300_000],
    ['no number', 'soon', 300_000],
    ['empty', '', 300_000],
    ['a list', [60], 300_000],
    ['true', true, 300_000],
  ])('says how long its token lives: %s', (_, expiresIn, lifeMs) => {
    const body = { access_token: 'abc', token_type: 'Bearer', expires_in: expiresIn }
    expect(read(answered(200, body))).toEqual({ kind: 'granted', token: 'abc', lifeMs })
  })

  it.each([{ token_type: 'bearer' }, { token_type: 'BEARER' }, {}])('gives a token of the type %j', (type) => {
    expect(read(answered(200, { access_token: 'abc', ...type }))).toMatchObject({ kind: 'granted', token: 'abc' })
  })

  const NO_TOKEN = 'the token server answered without an access_token'
  const NO_HEADER = 'the token server answered with an access_token that no header can carry'
  const NO_JSON = 'the token server answered without a JSON object'
  const NO_BEARER = 'the token server answered with a token_type other than Bearer'
  it.each<[string, SendResult, string]>([
    ['no JSON', answered(200, '<html>s3cret+/:ä</html>'), NO_JSON],
    ['nothing', answered(200, ''), NO_JSON],
    ['a text', answered(200, '"abc"'), NO_JSON],
    ['null', answered(200, 'null'), NO_JSON],
    ['cut off', answered(200, '{"access_token":"ab'), NO_JSON],
    ['no token', answered(200, {}), NO_TOKEN],
    ['a list', answered(200, []), NO_TOKEN],
    ['a token that is no text', answered(200, { access_token: 1 }), NO_HEADER],
    ['an empty token', answered(200, { access_token: '' }), NO_HEADER],
    ['a token with a line break', answered(200, { access_token: 'a\r\nx-evil: 1' }), NO_HEADER],
    ['a token with a space', answered(200, { access_token: 'a b' }), NO_HEADER],
    ['a token that is not ASCII', answered(200, { access_token: 'ä' }), NO_HEADER],
    ['a token that is too long', answered(200, { access_token: 'a'.repeat(8193) }), NO_HEADER],
    ['another type', answered(200, { access_token: 'abc', token_type: 'mac' }), NO_BEARER],
    ['a type that is no text', answered(200, { access_token: 'abc', token_type: 7 }), NO_BEARER],
    ['an error with 200', answered(200, { error: 'invalid_client' }), `${NO_TOKEN}: invalid_client`],
    [
      'a refusal',
      answered(401, { error: 'invalid_client' }),
      'the token server answered with status 401: invalid_client',
    ],
    [
      'a refusal with its reason',
      answered(400, { error: 'invalid_scope', error_description: 'no such scope' }),
      'the token server answered with status 400: invalid_scope, no such scope',
    ],
    ['a refusal without JSON', answered(403, 'go away'), 'the token server answered with status 403'],
    ['a redirect', answered(302, ''), 'the token server answered with status 302, and redirects are not followed'],
    ['trouble of its own', answered(500, { trace: 'at /srv/app' }), 'the token server answered with status 500'],
    [
      'no answer',
      { kind: 'error', reason: 'timeout', message: 'no complete answer within 5 ms' },
      'the token request failed: timeout: no complete answer within 5 ms',
    ],
    [
      'a broken connection, which senders attribute to the receiver',
      { kind: 'error', reason: 'network', message: 'the receiver closed the connection before it answered' },
      'the token request failed: network: the token server closed the connection before it answered',
    ],
  ])('is no token, and one sentence says why: %s', (_, result, error) => {
    expect(read(result)).toMatchObject({ kind: 'failed', error })
  })

  it('is quoted only for its error, without secrets and control characters, and shortened', () => {
    const error_description = `s3cret+/:ä\u0000\r\n\u001b[31m\u2028ist falsch für ${'x'.repeat(500)}`
    const { error } = read(answered(400, { error: { a: 1 }, error_description })) as { error: string }
    expect(error).toMatch(/^the token server answered with status 400: … \[31m ist falsch für x+$/)
    expect(error.length).toBeLessThan(300)
  })

  it('says when to request a token again', () => {
    const busy = (value: string) => read(answered(429, '', { 'retry-after': value }))
    expect(busy('7')).toMatchObject({ retryAfterMs: 7000 })
    expect(busy('Sat, 28 Nov 2026 12:01:00 GMT')).toMatchObject({ retryAfterMs: 60_000 })
    expect(busy('soon')).toMatchObject({ retryAfterMs: undefined })
    expect(busy('99999999')).toMatchObject({ retryAfterMs: 86_400_000 })
  })
})
