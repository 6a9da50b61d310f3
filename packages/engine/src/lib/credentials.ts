/** A user name and a password, as RFC 7617 sends them: UTF-8 in base64. */
export interface BasicAuth {
  type: 'basic'
  /** At most 256 characters, no colon and no control character among them; either of the two may be empty. */
  username: string
  /** At most 1,024 characters, no control character among them. */
  password: string
}

/** A token that its receiver gave out (RFC 6750). */
export interface BearerAuth {
  type: 'bearer'
  /** 1 to 8,192 visible ASCII characters. */
  token: string
}

/**
 * Access tokens by client credentials (RFC 6749, section 4.4). A token is requested when one is needed, stored encrypted,
 * used until shortly before it expires, and thrown away when the receiver answers 401: the next attempt has a new one.
 */
export interface OAuth2Auth {
  type: 'oauth2'
  /** Where tokens are requested. The URL policy holds for it as for the endpoint's URL. */
  tokenUrl: string
  /** 1 to 512 characters. */
  clientId: string
  /** 1 to 1,024 characters. */
  clientSecret: string
  /** The scopes to ask for, with spaces between them: at most 1,000 characters. @default the token server's */
  scope?: string | undefined
  /** Whom the token is for, where the token server wants to know: at most 1,000 characters. @default not sent */
  audience?: string | undefined
  /** What it is for (RFC 8707): at most 1,000 characters. @default not sent */
  resource?: string | undefined
  /** How the client proves itself: in the header `authorization`, or in the body of the request. @default 'basic' */
  clientAuthentication?: 'basic' | 'body' | undefined
}

/** How the attempts of an endpoint prove themselves to their receiver, in the header `authorization`. */
export type EndpointAuth = BasicAuth | BearerAuth | OAuth2Auth

/** What is shown of it: everything but passwords, tokens and secrets. */
export type ShownAuth = Omit<BasicAuth, 'password'> | Omit<BearerAuth, 'token'> | Omit<OAuth2Auth, 'clientSecret'>

/**
 * What connections to the receiver, and to the token server of its `auth`, are made with. Each part is text in PEM, of which
 * the certificates or the key are taken and the rest is left out.
 */
export interface EndpointTls {
  /** The client certificate and those that sign it, the client's first: at most 16,384 characters. With `key`. @default none */
  cert?: string | undefined
  /** Its private key, without a passphrase: at most 16,384 characters. With `cert`. @default none */
  key?: string | undefined
  /** Authorities besides the public ones: at most 10 certificates and 32,768 characters. @default none */
  ca?: string | undefined
}

/** What is shown of it: SHA-256 fingerprints, as browsers and OpenSSL write them. */
export interface ShownTls {
  /** Of the client certificate; null: it has none. */
  certFingerprint: string | null
  /** Of each authority. */
  caFingerprints: string[]
}
