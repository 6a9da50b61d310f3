import { type OptionNames, type SqlText, clock, onlyRow, raw, sqlText } from '@keepsend/outbox/internal'
import { fromCompatSecret, toCompatSecret } from '../signing/compat-signature.ts'
import type { SealedHeaders } from './endpoint-headers.ts'
import type { Endpoint, EndpointInput } from './endpoint.ts'
import { EngineError } from '../errors.ts'
import { type ActingOption, type ActionDeps, BY_OPTION, type ByOption } from '../audit/action.ts'
import { changeOf } from './endpoint-change.ts'
import { jsonRow, readRow } from '../idempotency/idempotent-change.ts'
import { secretRows } from '../codecs.ts'
import { type Place, deleteSecrets, insertSecret } from '../secrets/secret-statements.ts'
import type { SecretStore, StoredSecret } from '../secrets/secret-store.ts'
import { checkSigningKey, newSigningKey, publicKeyOf } from '../signing/sign-v1a.ts'
import { newSecret } from '../signing/sign.ts'
import type { SignatureScheme } from '../signing/signer.ts'

/** One signing secret of an endpoint. */
export interface EndpointSecret {
  scheme: SignatureScheme
  /** Counts up within its scheme. */
  version: number
  /**
   * The key that a receiver verifies with: `whsec_…`, the text of a compatibility secret, or for `v1a` the public key
   * `whpk_…`; the private key is never shown.
   */
  secret: string
  createdAt: number
  /** When it stops signing; null for the current one. */
  expiresAt: number | null
}

export interface RotateOptions extends ByOption {
  /** How long older secrets sign beside the new one, at most: 0–604,800,000 ms. @default 86_400_000 (24 h) */
  overlapMs?: number | undefined
  /** The scheme whose secret is rotated. @default the first of the endpoint's `signatures` */
  scheme?: SignatureScheme | undefined
}

export const ROTATE_OPTIONS = { overlapMs: 'number', scheme: 'text', ...BY_OPTION } satisfies OptionNames<RotateOptions>

/** 24 h for a receiver to install the new secret. */
const DEFAULT_SECRET_OVERLAP_MS = 86_400_000
export const MAX_SECRET_OVERLAP_MS = 604_800_000
/** The most active secrets of one scheme, and so the most signatures of it in one request. */
const MAX_SIGNATURES = 10
// Retries of a rotation that lost against a concurrent one of the same endpoint.
const MAX_TRIES = 20

/** The columns that the stored answer of a rotation has: not the secret. */
const STORED_COLUMNS = ['scheme', 'version', 'createdAt'] as const

/** The secrets of endpoints that exist and whose input was validated. */
export interface EndpointSecrets {
  /** Inserts a secret for each scheme of the input, the given one or a new one; an existing secret stays. */
  first(endpoint: Place, input: SigningInput): Promise<{ shown: string; statement: SqlText }[]>
  /** The statements for the secrets in a change of an endpoint. A scheme that is left out stops signing immediately. */
  changed(endpoint: Endpoint, input: SigningInput): Promise<SqlText[]>
  /** Inserts the encryption key of the header values; add {@link EndpointSecrets.dropHeaderKey} before it in a change. */
  headerKey(endpoint: Place, headers: SealedHeaders): Promise<SqlText[]>
  dropHeaderKey(endpoint: Place): SqlText
  list(endpoint: Place): Promise<EndpointSecret[]>
  rotate(endpoint: Endpoint, options: RotateOptions & ActingOption): Promise<EndpointSecret>
}

type SigningInput = Pick<EndpointInput, 'signatures' | 'compatSignature' | 'secret'>

export function createEndpointSecrets(deps: ActionDeps, store: SecretStore): EndpointSecrets {
  const { db } = deps
  async function list({ id, workspaceId }: Place): Promise<EndpointSecret[]> {
    const { rows } = await db.run<StoredSecret & EndpointSecret>(sqlText`
      select ${secretRows.all}
      from keepsend_secrets where endpoint_id = ${id} and scheme in ('v1', 'v1a', 'compat') and (expires_at is null or expires_at > ${clock()})
      order by scheme, version desc`)
    return Promise.all(
      rows.map(async (row) => {
        const { scheme, version, createdAt, expiresAt } = row
        const plain = await store.open({ ...row, workspaceId })
        return { scheme, version, secret: shownSecret(scheme, plain), createdAt, expiresAt }
      }),
    )
  }

  function first({ id, workspaceId }: Place, input: SigningInput): Promise<{ shown: string; statement: SqlText }[]> {
    const { signatures = [], compatSignature } = input
    return Promise.all(
      schemesOf(signatures, compatSignature).map(async (scheme) => {
        const plain = (await givenSecret(scheme, input)) ?? (await newSecretOf(scheme))
        const sealed = await store.seal(plain, { workspaceId, endpointId: id, scheme, version: 1 })
        const hasNone = sqlText`not exists (select 1 from keepsend_secrets where endpoint_id = ${id} and scheme = ${scheme})`
        return {
          shown: shownSecret(scheme, plain),
          statement: insertSecret({ id, workspaceId }, { scheme, version: 1, ...sealed }, hasNone),
        }
      }),
    )
  }

  return {
    first,
    list,

    async changed(endpoint, input) {
      const { signatures, compatSignature } = input
      if (compatSignature?.secret !== undefined && endpoint.compatHeader !== null) {
        throw invalid('compatSignature has a secret already: rotate the secret of the scheme compat instead')
      }
      const dropped = [
        ...(signatures ? (['v1', 'v1a'] as const).filter((scheme) => !signatures.includes(scheme)) : []),
        ...(compatSignature === null ? ['compat'] : []),
      ]
      const added = await first(endpoint, input)
      if (dropped.length === 0) return added.map(({ statement }) => statement)
      return [deleteSecrets(db, endpoint, dropped), ...added.map(({ statement }) => statement)]
    },

    async headerKey(endpoint, { key }) {
      if (key === undefined) return []
      const { id, workspaceId } = endpoint
      const place = { scheme: 'headers', version: 1 }
      const sealed = await store.seal(key, { workspaceId, endpointId: id, ...place })
      return [insertSecret(endpoint, { ...place, ...sealed }, raw('1 = 1'))]
    },

    dropHeaderKey: (endpoint) => deleteSecrets(db, endpoint, ['headers']),

    async rotate(
      endpoint,
      { overlapMs = DEFAULT_SECRET_OVERLAP_MS, scheme = endpoint.signatures[0] ?? 'v1', by, acting },
    ) {
      if (!Number.isInteger(overlapMs) || overlapMs < 0 || overlapMs > MAX_SECRET_OVERLAP_MS) {
        throw invalid(
          `overlapMs must be a whole number from 0 to ${MAX_SECRET_OVERLAP_MS} (7 days); found ${overlapMs}`,
        )
      }
      const schemes = schemesOf(endpoint.signatures, endpoint.compatHeader)
      if (!schemes.includes(scheme)) {
        throw invalid(`scheme must be one of this endpoint's, ${schemes.join(' or ')}; found ${scheme}`)
      }
      const { id, workspaceId } = endpoint
      const plain = await newSecretOf(scheme)
      for (let tries = 0; tries < MAX_TRIES; tries++) {
        const { newest, active } = await countSecrets(id, scheme)
        if (overlapMs > 0 && active >= MAX_SIGNATURES) throw tooMany(scheme)
        const version = newest + 1
        const sealed = await store.seal(plain, { workspaceId, endpointId: id, scheme, version })
        // The secret is sealed for this version. If a concurrent rotation has taken the version, nothing is written, and the
        // next try takes the one after it.
        const isFree = sqlText`not exists (
          select 1 from keepsend_secrets as other
          where other.endpoint_id = ${id} and other.scheme = ${scheme} and other.version >= ${version})`
        const change = changeOf(deps, { workspaceId, id, verb: 'endpoint.rotate_secret' }, { by, acting })
        const { transaction, bumped } = change
        transaction.add(sqlText`
            update keepsend_secrets set expires_at = ${clock()} + ${overlapMs}
            where endpoint_id = ${id} and scheme = ${scheme}
              and (expires_at is null or expires_at > ${clock()} + ${overlapMs}) and ${isFree}`)
        const inserted = transaction.add(insertSecret(endpoint, { scheme, version, ...sealed }, isFree))
        transaction.add(sqlText`delete from keepsend_secrets where endpoint_id = ${id} and expires_at <= ${clock()}`)
        // If another rotation has taken the version this selects nothing, and the whole transaction is refused.
        const made = sqlText`
          keepsend_secrets as made
          where endpoint_id = ${id} and scheme = ${scheme} and version = ${version} and secret = ${sealed.secret}`
        transaction.answer(sqlText`
          select ${jsonRow(db, STORED_COLUMNS)} from (
            select ${secretRows.some('made', STORED_COLUMNS)} from ${made}) as answered`)
        transaction.record(sqlText`select 1 from ${made}`)
        try {
          await change.commit(db)
        } catch (error) {
          if (!acting?.once || (await countSecrets(id, scheme)).newest < version) throw error
          continue
        }
        if (bumped.changes === 0) throw new EngineError('not_found', 'no such endpoint')
        if (inserted.changes !== 1) continue
        const secret = (await list(endpoint)).find((one) => one.scheme === scheme)
        if (!secret) throw new EngineError('not_found', 'no such endpoint')
        return secret
      }
      throw new EngineError('conflict', 'too many concurrent rotations of the secrets of this endpoint: try again')
    },
  }

  async function countSecrets(id: string, scheme: SignatureScheme): Promise<{ newest: number; active: number }> {
    const { rows } = await db.run<{ newest: number; active: number }>(sqlText`
      select coalesce(max(version), 0) as "newest",
        count(case when expires_at is null or expires_at > ${clock()} then 1 end) as "active"
      from keepsend_secrets where endpoint_id = ${id} and scheme = ${scheme}`)
    return onlyRow(rows)
  }
}

/** Reads the stored answer of a rotation, which has no secret. */
export function readRotated(answer: string): Omit<EndpointSecret, 'secret'> {
  return {
    ...secretRows.read<(typeof STORED_COLUMNS)[number]>(readRow(STORED_COLUMNS, answer)),
    expiresAt: null,
  } as Omit<EndpointSecret, 'secret'>
}

function schemesOf(signatures: readonly ('v1' | 'v1a')[], compat: unknown): SignatureScheme[] {
  return compat ? [...signatures, 'compat'] : [...signatures]
}

/** The key that a receiver verifies with. */
function shownSecret(scheme: SignatureScheme, plain: string): string {
  if (scheme === 'v1') return plain
  return scheme === 'v1a' ? publicKeyOf(plain) : fromCompatSecret(plain)
}

async function newSecretOf(scheme: SignatureScheme): Promise<string> {
  if (scheme === 'v1a') return newSigningKey()
  return scheme === 'v1' ? newSecret() : toCompatSecret(newSecret())
}

/** The secret that the caller gives for this scheme, in the stored form. */
async function givenSecret(
  scheme: SignatureScheme,
  { secret, compatSignature }: SigningInput,
): Promise<string | undefined> {
  if (scheme === 'compat') return compatSignature?.secret && toCompatSecret(compatSignature.secret)
  if (scheme === 'v1a') return secret?.startsWith('whsk_') ? checkSigningKey(secret) : undefined
  return secret?.startsWith('whsec_') ? secret : undefined
}

function tooMany(scheme: SignatureScheme): EngineError {
  return new EngineError(
    'conflict',
    `${MAX_SIGNATURES} ${scheme} secrets of this endpoint are active, the limit: wait until one expires, or set overlapMs to 0, ` +
      'which ends the older ones immediately',
  )
}

function invalid(message: string): EngineError {
  return new EngineError('invalid_endpoint', message)
}
