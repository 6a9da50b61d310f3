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

/** Encrypted credentials, ready to be written; properties that were not given are absent. */
export interface SealedCredentials {
  /** The shown part, as JSON; null removes the credentials. */
  columns: Partial<Record<'auth' | 'tls', string | null>>
  /** Statements for the transaction that writes the columns. */
  statements: SqlText[]
}

/**
 * Encrypts each as a whole, under a key of its own that is a secret like any other. Attempts use only the encrypted copy, so
 * editing a column by hand does not change them.
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
    const sealedKey = await store.seal(key, { workspaceId, endpointId, scheme, version: 1 })
    sealed.statements.push(insertSecret(place, { scheme, version: 1, ...sealedKey, sealed: text }, raw('1 = 1')))
  }
  if (auth !== undefined) await add('auth', auth, auth && shownAuth(auth))
  const checked = tls && checkTls(tls)
  if (checked !== undefined) await add('tls', checked, checked && (await shownTls(checked)))
  return sealed
}

/**
 * Validates the given credentials, alone and together with what the endpoint has.
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
        'tls is not supported here: the sender of this engine cannot use client certificates or private authorities, as on Workers',
      )
    }
  }
  if (tls && /^http:/i.test(url.trim()))
    throw new EngineError('invalid_endpoint', 'tls needs a url that begins with https://')
}

function isGiven<T>(value: T | null | undefined): value is T {
  return value !== undefined && value !== null
}
