import type { Endpoint } from '@keepsend/engine'
import { Icon, type IconName } from '../../parts/icon.tsx'
import { Moment } from '../../parts/moment.tsx'
import { type Reader, showUntil } from '../../reader/reader.ts'

/** The actions on an endpoint: the likely next step in the open, the rest in a menu. */
export function EndpointButtons({ endpoint, reader }: { endpoint: Endpoint; reader: Reader }) {
  const { text, link, canAct } = reader
  const { workspaceId, id, status, pausedUntil } = endpoint
  if (!canAct) return null
  const to = (...path: string[]): string => link('endpoints', workspaceId, id, ...path)
  return (
    <>
      <a class="btn" href={link('replays', 'new', { workspace: workspaceId, endpoint: id })}>
        <Icon name="replay" />
        {text('delivery.replay')}
      </a>
      {status === 'disabled' ? null : (
        <button class="btn" form="act" name="do" value={pausedUntil === null ? 'pause' : 'resume'}>
          <Icon name={pausedUntil === null ? 'pause' : 'play'} />
          {text(pausedUntil === null ? 'endpoint.pause' : 'endpoint.resume')}
        </button>
      )}
      <details class="menu">
        <summary class="btn icon" aria-label={text('more')}>
          <Icon name="more" />
        </summary>
        <ul>
          <MenuLink href={to('edit')} icon="edit" label={text('endpoint.edit')} />
          <MenuLink href={to('secrets')} icon="key" label={text('endpoint.secrets')} />
          {status === 'disabled' ? (
            <MenuLink href={to('test')} icon="test" label={text('endpoint.test')} />
          ) : (
            <MenuLink href={to('disable')} icon="off" label={`${text('endpoint.disable')}…`} />
          )}
          <MenuLink href={to('delete')} icon="trash" label={`${text('endpoint.delete')}…`} isDanger />
        </ul>
      </details>
      {status === 'disabled' ? (
        <button class="btn primary" form="act" name="do" value="enable">
          <Icon name="on" />
          {text('endpoint.enable')}
        </button>
      ) : (
        <a class="btn primary" href={to('test')}>
          <Icon name="test" />
          {text('endpoint.test')}
        </a>
      )}
    </>
  )
}

function MenuLink({ href, icon, label, isDanger }: { href: string; icon: IconName; label: string; isDanger?: true }) {
  return (
    <li>
      <a href={href} class={isDanger ? 'failed tone' : undefined}>
        <Icon name={icon} />
        {label}
      </a>
    </li>
  )
}

/** Why an endpoint gets nothing, and until when. */
export function StateNote({ endpoint, maxAgeMs, reader }: { endpoint: Endpoint; maxAgeMs: number; reader: Reader }) {
  const { text, times } = reader
  const { status, disabledReason, disabledAt, circuit, failingSince, pausedUntil } = endpoint
  if (status === 'disabled') {
    const until = disabledAt === null ? undefined : disabledAt + maxAgeMs
    return (
      <div class="note">
        <Icon name="off" />
        <div>
          <h2>{text('endpoint.is_disabled')}</h2>
          <p>{disabledReason === null ? '' : text(`disabled_why.${disabledReason}`)}</p>
          <p>{until === undefined ? '' : text('endpoint.collects', { time: times.whole(until) })}</p>
        </div>
      </div>
    )
  }
  if (circuit === 'open') {
    return (
      <div class="note warn">
        <Icon name="circuit-open" />
        <div>
          <h2>{text('endpoint.is_open')}</h2>
          <p>{text('endpoint.is_open_then')}</p>
          <p>
            {failingSince === null
              ? ''
              : text.rich('endpoint.failing_since', { time: <Moment at={failingSince} reader={reader} /> })}
          </p>
        </div>
      </div>
    )
  }
  if (pausedUntil !== null && pausedUntil > reader.now) {
    return (
      <div class="note warn">
        <Icon name="held" />
        <div>
          <h2>
            {text('endpoint.is_paused', { span: showUntil(reader, pausedUntil), time: times.clock(pausedUntil) })}
          </h2>
        </div>
      </div>
    )
  }
  return null
}
