/** A user name and a password, as RFC 7617 sends them: UTF-8 in base64. */
export interface BasicAuth {
  type: 'basic'
  /** At most 256 characters without colons and control characters; user name or password may be empty. */
  username: string
  /** At most 1,024 characters without control characters. */
  password: string
}

/** A token that the receiver issued (RFC 6750). */
export interface BearerAuth {
  type: 'bearer'
  /** 1 to 8,192 visible ASCII characters. */
  token: string
}

/**
 * Access tokens by client credentials (RFC 6749, section 4.4). A token is requested when it is needed, stored encrypted, used
 * until shortly before it expires, and discarded when the receiver answers 401; the next attempt requests a new one.
 */
export interface OAuth2Auth {
  type: 'oauth2'
  /** Where tokens are requested. The URL policy applies as to the endpoint's URL. */
  tokenUrl: string
  /** 1 to 512 characters. */
  clientId: string
  /** 1 to 1,024 characters. */
  clientSecret: string
  /** The scopes to request, separated by spaces: at most 1,000 characters. @default the token server's */
  scope?: string | undefined
  /** The audience of the token, for token servers that need one: at most 1,000 characters. @default not sent */
  audience?: string | undefined
  /** The resource of the token (RFC 8707): at most 1,000 characters. @default not sent */
  resource?: string | undefined
  /** How the client authenticates: in the header `authorization`, or in the body of the request. @default 'basic' */
  clientAuthentication?: 'basic' | 'body' | undefined
}

/** How the attempts of an endpoint authenticate to the receiver, in the header `authorization`. */
export type EndpointAuth = BasicAuth | BearerAuth | OAuth2Auth

/** The shown part: everything but passwords, tokens and secrets. */
export type ShownAuth = Omit<BasicAuth, 'password'> | Omit<BearerAuth, 'token'> | Omit<OAuth2Auth, 'clientSecret'>

/**
 * TLS settings of the connections to the receiver and to the token server of its `auth`. Each part is a PEM text, of which
 * only the certificates or the key are stored.
 */
export interface EndpointTls {
  /** The client certificate, then its intermediates: at most 16,384 characters. Requires `key`. @default none */
  cert?: string | undefined
  /** Its private key, without a passphrase: at most 16,384 characters. Requires `cert`. @default none */
  key?: string | undefined
  /** Authorities in addition to the public ones: at most 10 certificates and 32,768 characters. @default none */
  ca?: string | undefined
}

/** The shown part: SHA-256 fingerprints, as browsers and OpenSSL write them. */
export interface ShownTls {
  /** The fingerprint of the client certificate; null: there is none. */
  certFingerprint: string | null
  /** The fingerprints of the authorities. */
  caFingerprints: string[]
}
