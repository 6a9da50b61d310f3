import { z } from '@hono/zod-openapi'
import { AUTH_FIELDS } from '../endpoints/endpoint-auth.ts'
import { MAX_PEM } from '../endpoints/endpoint-tls.ts'
import { text } from './bounded.ts'

const { basic, bearer, oauth2 } = AUTH_FIELDS
const clientAuthentication = z.enum(['basic', 'body'])

const basicShown = z.strictObject({ type: z.literal('basic'), username: text(basic.username.max) })
const bearerShown = z.strictObject({ type: z.literal('bearer') })
const oauth2Shown = z.strictObject({
  type: z.literal('oauth2'),
  tokenUrl: text(oauth2.tokenUrl.max),
  clientId: text(oauth2.clientId.max),
  scope: text(oauth2.scope.max).optional(),
  audience: text(oauth2.audience.max).optional(),
  resource: text(oauth2.resource.max).optional(),
  clientAuthentication: clientAuthentication.optional().openapi({ description: 'Default: `basic`' }),
})

/** How attempts authenticate. */
const authInput = z
  .discriminatedUnion('type', [
    basicShown.extend({ password: text(basic.password.max) }),
    bearerShown.extend({ token: text(bearer.token.max) }),
    oauth2Shown.extend({ clientSecret: text(oauth2.clientSecret.max) }),
  ])
  .openapi('EndpointAuthInput', {
    description: 'Sets the header `authorization` of every attempt. Secrets are never shown. null removes it',
  })

const authShown = z.discriminatedUnion('type', [basicShown, bearerShown, oauth2Shown]).openapi('EndpointAuth')

const tlsInput = z
  .strictObject({
    cert: text(MAX_PEM.cert).optional().openapi({ description: 'The client certificate, in PEM' }),
    key: text(MAX_PEM.key).optional().openapi({ description: 'Its private key, in PEM; never shown', writeOnly: true }),
    ca: text(MAX_PEM.ca).optional().openapi({ description: 'Authorities in addition to the public ones, in PEM' }),
  })
  .openapi('EndpointTlsInput', { description: 'Not supported on Workers. null removes it' })

const tlsShown = z
  .object({ certFingerprint: z.string().nullable(), caFingerprints: z.array(z.string()) })
  .openapi('EndpointTls', { description: 'SHA-256 fingerprints' })

/** The credentials of an endpoint in requests. */
export const credentialsInput = { auth: authInput.nullable().optional(), tls: tlsInput.nullable().optional() }

/** The credentials of an endpoint in answers. */
export const credentialsShown = { auth: authShown.nullable(), tls: tlsShown.nullable() }
