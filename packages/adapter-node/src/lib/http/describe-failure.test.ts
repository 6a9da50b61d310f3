import { describe, expect, it } from 'vitest'
import { describeFailure } from './describe-failure.ts'
import { ProxyFailed } from './proxy-tunnel.ts'

const INSIDES = '40B7F3A27F000000:error:0A000126:SSL routines::10.0.0.7:443 cert altnames: undefined'

const NAME_SERVERS = { reason: 'dns', message: expect.stringMatching(/the name servers of this host/) }

function failure(code: string, more: object = {}): Error {
  return Object.assign(new Error(INSIDES), { code, ...more })
}

describe('a failed exchange', () => {
  it.each([
    ['ENOTFOUND', 'dns', /^ENOTFOUND no such host name: /],
    ['ECONNREFUSED', 'connect', /^ECONNREFUSED nothing listens at this host and port: /],
    ['UND_ERR_SOCKET', 'network', /^UND_ERR_SOCKET the receiver closed the connection before it answered: /],
    ['UND_ERR_CONNECT_TIMEOUT', 'connect', /^UND_ERR_CONNECT_TIMEOUT no connection was made in time: /],
    ['ENETUNREACH', 'connect', /^ENETUNREACH no route leads to the receiver: /],
    ['CERT_HAS_EXPIRED', 'tls', /^CERT_HAS_EXPIRED its certificate has expired: renew it$/],
    ['DEPTH_ZERO_SELF_SIGNED_CERT', 'tls', /certificate is self-signed: get one from a public authority$/],
    ['UNABLE_TO_GET_ISSUER_CERT_LOCALLY', 'tls', /chain is incomplete.*: send the intermediate certificates too$/],
    ['ERR_TLS_CERT_ALTNAME_INVALID', 'tls', /certificate is for other host names: get one for this host$/],
    ['CERT_SIGNATURE_FAILURE', 'tls', /its certificate was not accepted: /],
    ['ERR_SSL_WRONG_VERSION_NUMBER', 'tls', /the port does not speak TLS: check the port and the scheme$/],
    ['ERR_SSL_TLSV1_ALERT_PROTOCOL_VERSION', 'tls', /TLS 1.2 or later is needed$/],
    ['ERR_SSL_TLSV13_ALERT_CERTIFICATE_REQUIRED', 'tls', /the server wants a client certificate: /],
    [
      'ERR_SSL_SSL/TLS_ALERT_HANDSHAKE_FAILURE',
      'tls',
      /^ERR_SSL_ALERT_HANDSHAKE_FAILURE .*, or wants a client certificate: /,
    ],
    ['ERR_SSL_TLSV1_ALERT_UNKNOWN_CA', 'tls', /the server did not accept the client certificate: /],
    ['ERR_SSL_TLSV13_ALERT_BAD_CERTIFICATE', 'tls', /the server did not accept the client certificate: /],
    ['ERR_SSL_SSLV3_ALERT_CERTIFICATE_EXPIRED', 'tls', /the server did not accept the client certificate: /],
    ['ERR_SSL_TLSV1_UNRECOGNIZED_NAME', 'tls', /the server knows no such host name: /],
    ['ERR_SSL_SOMETHING_NEW', 'tls', /^ERR_SSL_SOMETHING_NEW the TLS handshake failed: /],
    ['HPE_INVALID_CONSTANT', 'invalid_response', /^HPE_INVALID_CONSTANT its response is not valid HTTP\/1.1$/],
    ['UND_ERR_HEADERS_OVERFLOW', 'invalid_response', /the headers of its response are too large$/],
    ['E_WHATEVER', 'network', /^E_WHATEVER the exchange with the receiver failed$/],
  ])(
    'with the code %s has class %s, and a sentence of ours without the text of the library',
    (code, reason, sentence) => {
      const { message: text, ...of } = describeFailure(failure(code))
      expect(of).toEqual({ reason })
      expect(text).toMatch(sentence)
      expect(text).not.toMatch(/error:|routines|10\.0\.0|undefined/)
    },
  )

  it('of a look-up differs from one of a connection with the same code', () => {
    expect(describeFailure(failure('ECONNREFUSED', { syscall: 'queryA' }))).toEqual(NAME_SERVERS)
    expect(describeFailure(failure('ECONNREFUSED', { syscall: 'connect' }))).toMatchObject({ reason: 'connect' })
    expect(describeFailure(failure('ETIMEOUT'))).toEqual(NAME_SERVERS)
  })

  it('with code EPROTO is described by its OpenSSL name', () => {
    const error = Object.assign(new Error('write EPROTO 40B7F3:error:0A00010B:SSL routines::wrong version number'), {
      code: 'EPROTO',
    })
    expect(describeFailure(error)).toEqual({
      reason: 'tls',
      message: 'EPROTO the port does not speak TLS: check the port and the scheme',
    })
  })

  it('of the egress proxy names neither it nor an address', () => {
    const error = new ProxyFailed('answered with status 407', { cause: failure('ECONNRESET') })
    expect(describeFailure(error)).toEqual({
      reason: 'egress_proxy',
      message: 'EGRESS_PROXY the egress proxy of the sender answered with status 407',
    })
  })

  it.each([['a text'], [undefined], [new Error(INSIDES)], [failure('not a code: 10.0.0.7')]])(
    'that has no code is a sentence alone: %j',
    (error) => {
      expect(describeFailure(error)).toEqual({ reason: 'network', message: 'the exchange with the receiver failed' })
    },
  )
})
