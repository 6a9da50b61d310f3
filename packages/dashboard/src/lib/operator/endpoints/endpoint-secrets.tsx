import { type EndpointSecret, EngineError } from '@keepsend/engine'
import { Copy } from '../../parts/copy.tsx'
import { Head } from '../../parts/head.tsx'
import { Moment } from '../../parts/moment.tsx'
import type { Reader } from '../../reader/reader.ts'
import { FormToken } from '../../parts/form-token.tsx'
import type { Action, Page, Sent, Shown, Visit } from '../../site/visit.ts'
import { breakable } from '../../parts/breakable.tsx'
import { findEndpoint } from './find-endpoint.ts'

const HOUR_MS = 3_600_000

/** How long the old secret signs beside the new one. */
const OVERLAPS = [
  [0, 'overlap.none'],
  [HOUR_MS, 'overlap.1h'],
  [24 * HOUR_MS, 'overlap.24h'],
  [7 * 24 * HOUR_MS, 'overlap.7d'],
] as const
const DEFAULT_OVERLAP_MS = 24 * HOUR_MS

/** The secrets of an endpoint, whose texts are shown only after a POST, which the audit records. */
export const endpointSecretsPage: Page = {
  path: '/endpoints/:workspace/:id/secrets',
  section: 'endpoints',
  show: (visit) => secretsOf(visit, undefined),
}

export const ENDPOINT_SECRET_ACTIONS: readonly Action[] = [
  {
    path: '/endpoints/:workspace/:id/secrets',
    section: 'endpoints',
    async act(sent) {
      const { engine, reader, param, field, by } = sent
      const [workspaceId, id] = [param('workspace'), param('id')]
      const verb = field('do')
      if (verb === 'reveal') return secretsOf(sent, await engine.endpoints.revealSecrets(workspaceId, id, { by }))
      if (verb !== 'rotate')
        throw new EngineError('invalid_request', `secrets can be revealed or rotated; found ${verb ?? 'nothing'}`)
      await engine.endpoints.rotateSecret(workspaceId, id, {
        by,
        overlapMs: Number(field('overlap') ?? DEFAULT_OVERLAP_MS),
      })
      return reader.link('endpoints', workspaceId, id, 'secrets')
    },
  },
]

async function secretsOf(visit: Visit | Sent, revealed: readonly EndpointSecret[] | undefined): Promise<Shown> {
  const { engine, reader } = visit
  const { text, link, canAct } = reader
  const { workspaceId, endpoint } = await findEndpoint(visit)
  const secrets = revealed ?? (await engine.endpoints.secrets(workspaceId, endpoint.id))
  const title = text('endpoint.secrets')
  const here = link('endpoints', workspaceId, endpoint.id, 'secrets')
  const main = (
    <>
      <Head
        title={title}
        crumbs={
          <>
            <a href={link('endpoints')}>{text('nav.endpoints')}</a>
            <a class="mono" href={link('endpoints', workspaceId, endpoint.id)}>
              {breakable(endpoint.url)}
            </a>
          </>
        }
        reader={reader}
      />
      <table class="rows">
        <caption class="sr">{title}</caption>
        <thead>
          <tr>
            <th scope="col">{text('secret.version')}</th>
            <th scope="col">{text('secret.text')}</th>
            <th scope="col">{text('fact.created')}</th>
            <th scope="col">{text('secret.expires')}</th>
          </tr>
        </thead>
        <tbody>
          {secrets.map((secret) => (
            <SecretRow secret={secret} isRevealed={revealed !== undefined} reader={reader} />
          ))}
        </tbody>
      </table>
      {canAct ? (
        <div class="grid2">
          <form class="stack" method="post" action={here}>
            <FormToken reader={reader} />
            <h2>{text('secret.reveal')}</h2>
            <p class="dim">{text('secret.reveal_what')}</p>
            <div>
              <button class="btn" name="do" value="reveal">
                {text('secret.reveal')}
              </button>
            </div>
          </form>
          <form class="stack" method="post" action={here}>
            <FormToken reader={reader} />
            <h2>{text('secret.rotate')}</h2>
            <p class="dim">{text('secret.rotate_what')}</p>
            <div class="field">
              <label for="overlap">{text('secret.overlap')}</label>
              <select id="overlap" name="overlap" class="auto">
                {OVERLAPS.map(([ms, name]) => (
                  <option value={ms} selected={ms === DEFAULT_OVERLAP_MS}>
                    {text(name)}
                  </option>
                ))}
              </select>
            </div>
            <div>
              <button class="btn" name="do" value="rotate">
                {text('secret.rotate')}
              </button>
            </div>
          </form>
        </div>
      ) : null}
    </>
  )
  return { title, main }
}

function SecretRow({ secret, isRevealed, reader }: { secret: EndpointSecret; isRevealed: boolean; reader: Reader }) {
  const { text, times } = reader
  const { scheme, version, createdAt, expiresAt } = secret
  return (
    <tr>
      <td class="a nw">{text('secret.of_scheme', { scheme, version })}</td>
      <td class="fill e">
        {isRevealed ? (
          <span class="secret">
            <code>{secret.secret}</code>
            <Copy label={text('secret.copy')} text={secret.secret} />
          </span>
        ) : (
          <span class="dim">••••••••</span>
        )}
      </td>
      <td class="b nw">
        <Moment at={createdAt} reader={reader}>
          {times.date(createdAt)}
        </Moment>
      </td>
      <td class="c nw">{expiresAt === null ? text('secret.current') : <Moment at={expiresAt} reader={reader} />}</td>
    </tr>
  )
}
