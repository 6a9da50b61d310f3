import type { BasicAuth, BearerAuth, EndpointAuth, OAuth2Auth, ShownAuth } from '../credentials.ts'
import { type OptionNames, createOptionChecks } from '@keepsend/outbox/internal'
import type { CheckUrl } from '../url-policy/check-url.ts'
import { characters } from '../formats/characters.ts'
import { toBase64, utf8 } from '../formats/encoding.ts'
import { EngineError } from '../errors.ts'

interface Field {
  max: number
  /** The allowed characters, and their description in errors. */
  pattern: RegExp
  what: string
  isOptional?: true
}

const TEXT = { pattern: /^[^\p{Cc}\p{Cs}]+$/u, what: 'characters without control characters' }
const OPTIONAL_TEXT = { ...TEXT, max: 1000, isOptional: true } as const

/** The bounds of each form. */
export const AUTH_FIELDS = {
  basic: {
    username: {
      max: 256,
      pattern: /^[^:\p{Cc}\p{Cs}]*$/u,
      what: 'characters without colons and control characters',
    },
    password: { ...TEXT, max: 1024, pattern: /^[^\p{Cc}\p{Cs}]*$/u },
  },
  bearer: { token: { max: 8192, pattern: /^[\u0021-\u007e]+$/, what: 'visible ASCII characters, at least one' } },
  oauth2: {
    tokenUrl: { ...TEXT, max: 2048 },
    clientId: { ...TEXT, max: 512 },
    clientSecret: { ...TEXT, max: 1024 },
    // RFC 6749, section 3.3.
    scope: {
      max: 1000,
      pattern: /^[\u0020-\u0021\u0023-\u005b\u005d-\u007e]+$/,
      what: 'ASCII characters without " and \\',
      isOptional: true,
    },
    audience: OPTIONAL_TEXT,
    resource: OPTIONAL_TEXT,
    clientAuthentication: {
      max: 5,
      pattern: /^(basic|body)$/,
      what: "characters: 'basic' or 'body'",
      isOptional: true,
    },
  },
} satisfies {
  [Type in EndpointAuth['type']]: Record<Exclude<keyof Extract<EndpointAuth, { type: Type }>, 'type'>, Field>
}

const NAMES = {
  basic: { type: 'text', username: 'text', password: 'text' } satisfies OptionNames<BasicAuth>,
  bearer: { type: 'text', token: 'text' } satisfies OptionNames<BearerAuth>,
  oauth2: {
    type: 'text',
    tokenUrl: 'text',
    clientId: 'text',
    clientSecret: 'text',
    scope: 'text',
    audience: 'text',
    resource: 'text',
    clientAuthentication: 'text',
  } satisfies OptionNames<OAuth2Auth>,
}

const { checkNames } = createOptionChecks(invalid)

/** @throws {EngineError} `invalid_endpoint`, naming the property and never its value */
export function checkAuth(auth: EndpointAuth, checkUrl: CheckUrl): void {
  if (!Object.hasOwn(AUTH_FIELDS, auth.type)) {
    throw invalid(`auth.type must be ${Object.keys(AUTH_FIELDS).join(', ')}`)
  }
  const { type } = auth
  checkNames(`an endpoint with auth of the type ${type}`, { auth: NAMES[type] }, { auth })
  for (const [name, field] of Object.entries<Field>(AUTH_FIELDS[type])) {
    const value: unknown = Reflect.get(auth, name)
    if (value === undefined && field.isOptional) continue
    if (typeof value !== 'string' || characters(value) > field.max || !field.pattern.test(value)) {
      throw invalid(`auth.${name} must be at most ${field.max} ${field.what}`)
    }
  }
  if (type === 'basic' && auth.username === '' && auth.password === '') {
    throw invalid('auth must have a username or a password')
  }
  if (type !== 'oauth2') return
  const check = checkUrl(auth.tokenUrl)
  if (!check.ok) throw invalid(`auth.tokenUrl: ${check.message} (${check.reason})`)
}

export function shownAuth(auth: EndpointAuth): ShownAuth {
  if (auth.type === 'basic') return { type: auth.type, username: auth.username }
  if (auth.type === 'bearer') return { type: auth.type }
  const { clientSecret: _, clientAuthentication = 'basic', ...shown } = auth
  return { ...shown, clientAuthentication }
}

/** The value of the header `authorization` for a user name and a password. */
export function basicCredentials(username: string, password: string): string {
  return `Basic ${toBase64(utf8(`${username}:${password}`))}`
}

function invalid(message: string): EngineError {
  return new EngineError('invalid_endpoint', message)
}
