import type { OutboxDatabase } from '@keepsend/outbox'
import { type OptionsOf, type SqlText, raw } from '@keepsend/outbox/internal'
import type { CheckUrl } from '../url-policy/check-url.ts'
import { checkAuth, shownAuth } from './endpoint-auth.ts'
import { checkTls, shownTls } from './endpoint-tls.ts'
import type { Endpoint, EndpointInput } from './endpoint.ts'
import { createEnvelope, newEnvelopeKey } from '../secrets/envelope.ts'
import { EngineError } from '../errors.ts'
import type { SecretStore } from '../secrets/secret-store.ts'
import { type Place, deleteSecrets, insertSecret } from '../secrets/secret-statements.ts'

type CredentialsInput = Pick<OptionsOf<EndpointInput>, 'auth' | 'tls'>

/** What an endpoint proves itself with, on its way to its rows: of what was not given nothing. */
export interface SealedCredentials {
  /** What is shown, as JSON; null takes it away. */
  columns: Partial<Record<'auth' | 'tls', string | null>>
  /** For the transaction that writes the columns. */
  statements: SqlText[]
}

/**
 * Each is sealed as a whole, under a key of its own that is a secret like any other: what an attempt goes by cannot be
 * changed by hand, and the columns are there to be shown.
 */
export async function sealCredentials(
  { db, store }: { db: OutboxDatabase; store: SecretStore },
  place: Place,
  { auth, tls }: CredentialsInput,
): Promise<SealedCredentials> {
  const sealed: SealedCredentials = { columns: {}, statements: [] }
  const add = async (scheme: 'auth' | 'tls', given: object | null, shown: object | null): Promise<void> => {
    sealed.columns[scheme] = shown && JSON.stringify(shown)
    sealed.statements.push(deleteSecrets(db, place, [scheme]))
    if (!given) return
    const key = newEnvelopeKey()
    const text = await (await createEnvelope(key)).seal(scheme, JSON.stringify(given))
    const { id: endpointId, workspaceId } = place
    const kept = await store.seal(key, { workspaceId, endpointId, scheme, version: 1 })
    sealed.statements.push(insertSecret(place, { scheme, version: 1, ...kept, sealed: text }, raw('1 = 1')))
  }
  if (auth !== undefined) await add('auth', auth, auth && shownAuth(auth))
  const checked = tls && checkTls(tls)
  if (checked !== undefined) await add('tls', checked, checked && (await shownTls(checked)))
  return sealed
}

/**
 * Checks what is given, by itself and beside what the endpoint has.
 *
 * @throws {EngineError} `invalid_endpoint`
 */
export function checkCredentials(
  input: OptionsOf<EndpointInput>,
  { checkUrl, canUseTls, before }: { checkUrl: CheckUrl; canUseTls: boolean; before?: Endpoint | undefined },
): void {
  const { tls = before?.tls, url = before?.url ?? '' } = input
  if (isGiven(input.auth)) checkAuth(input.auth, checkUrl)
  if (isGiven(input.tls)) {
    checkTls(input.tls)
    if (!canUseTls) {
      throw new EngineError(
        'invalid_endpoint',
        'tls is not possible here: the sender of this engine has no client certificates and no private authorities, as on Workers',
      )
    }
  }
  if (tls && /^http:/i.test(url.trim()))
    throw new EngineError('invalid_endpoint', 'tls needs a url that begins with https://')
}

function isGiven<T>(value: T | null | undefined): value is T {
  return value !== undefined && value !== null
}
