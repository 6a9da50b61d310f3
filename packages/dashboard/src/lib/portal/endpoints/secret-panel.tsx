import type { Endpoint, EndpointSecret } from '@keepsend/engine'
import { Copy } from '../../parts/copy.tsx'
import { FormToken } from '../../parts/form-token.tsx'
import { Icon } from '../../parts/icon.tsx'
import { Moment } from '../../parts/moment.tsx'
import type { Reader } from '../../reader/reader.ts'
import type { PortalVisit } from '../portal-visit.ts'

interface PanelParts {
  secret: EndpointSecret
  /** The current one of its scheme. */
  newest: EndpointSecret
  isRevealed: boolean
  /** Whether there are secrets of several schemes, so that its own has to be said. */
  isOneOfSchemes: boolean
  endpoint: Endpoint
  visit: PortalVisit
}

/** One secret: the current one, or an old one that still signs beside it. */
export function SecretPanel(parts: PanelParts) {
  const { secret, isOneOfSchemes, visit } = parts
  const { text } = visit.reader
  const isOld = secret.expiresAt !== null
  const name = text(isOld ? 'portal.secret_old' : 'portal.secret_current')
  return (
    <div class="sec stack">
      <div class="row between">
        <h2>{isOneOfSchemes ? `${name} (${secret.scheme})` : name}</h2>
        <span class="sub">
          {text.rich('portal.secret_since', {
            version: secret.version,
            time: <Exact at={secret.createdAt} reader={visit.reader} />,
          })}
        </span>
      </div>
      <SecretText {...parts} />
      {secret.expiresAt === null ? null : <Overlap {...parts} expiresAt={secret.expiresAt} />}
    </div>
  )
}

function SecretText({ secret, isRevealed, endpoint, visit }: PanelParts) {
  const { reader, may } = visit
  const { text, link } = reader
  const isOld = secret.expiresAt !== null
  // One button shows all of them.
  if (isOld && !isRevealed) return null
  const action = link('endpoints', endpoint.id, 'secret')
  return (
    <>
      <div class="secret">
        <code>{isRevealed ? secret.secret : masked(secret)}</code>
        {isRevealed ? <Copy label={text('secret.copy')} text={secret.secret} /> : null}
        {isOld || !may('secrets:write') ? null : (
          <form method="post" action={action}>
            <FormToken reader={reader} />
            <button class="btn sm" name="do" value={isRevealed ? 'hide' : 'reveal'}>
              <Icon name={isRevealed ? 'lock' : 'eye'} />
              {text(isRevealed ? 'portal.hide' : 'secret.reveal')}
            </button>
          </form>
        )}
      </div>
      {isOld ? null : <p class="help">{text(isRevealed ? 'portal.secret_shown' : 'portal.secret_safe')}</p>}
    </>
  )
}

/** As long as the secret, and nothing of it but what all have. */
function masked({ scheme }: EndpointSecret): string {
  return `${{ v1: 'whsec_', v1a: 'whpk_', compat: '' }[scheme]}${'•'.repeat(44)}`
}

const WIDTH = 1000

/** Until when an old secret signs, as a sentence and as a drawing of both. */
function Overlap({ secret, newest, expiresAt, endpoint, visit }: PanelParts & { expiresAt: number }) {
  const { reader, may } = visit
  const { text, link, times, now } = reader
  // The overlap in the middle, and what was before and comes after it at the sides.
  const spanMs = Math.max(1, expiresAt - newest.createdAt)
  const x = (ms: number): number =>
    Math.round(Math.min(WIDTH, Math.max(0, WIDTH * (0.25 + (0.5 * (ms - newest.createdAt)) / spanMs))))
  return (
    <>
      <p>{text.rich('portal.secret_until', { time: <Exact at={expiresAt} reader={reader} /> })}</p>
      <svg
        class="life"
        viewBox={`0 0 ${WIDTH} 24`}
        preserveAspectRatio="none"
        role="img"
        aria-label={text('portal.life', { end: times.whole(expiresAt), start: times.whole(newest.createdAt) })}
      >
        <rect class="f-ok" x={x(secret.createdAt)} y={3} width={x(expiresAt) - x(secret.createdAt)} height={7} rx={2} />
        <rect class="p-body" x={x(newest.createdAt)} y={14} width={WIDTH - x(newest.createdAt)} height={7} rx={2} />
        <line class="now" x1={x(now)} x2={x(now)} y1={0} y2={24} />
      </svg>
      <ul class="legend">
        <li>
          <span class="sw f-ok" />
          {text('portal.life_old', { time: times.whole(expiresAt) })}
        </li>
        <li>
          <span class="sw p-body" />
          {text('portal.life_new', { time: times.whole(newest.createdAt) })}
        </li>
        <li>
          <span class="sw now" />
          {text('portal.life_now')}
        </li>
      </ul>
      {may('secrets:write') ? (
        <div>
          <a
            class="btn sm"
            href={link('endpoints', endpoint.id, 'secret', 'end', String(secret.version), {
              scheme: secret.scheme === endpoint.signatures[0] ? undefined : secret.scheme,
            })}
          >
            {text('portal.end_secret')}…
          </a>
        </div>
      ) : null}
    </>
  )
}

function Exact({ at, reader }: { at: number; reader: Reader }) {
  return (
    <Moment at={at} reader={reader}>
      {reader.times.whole(at)}
    </Moment>
  )
}
