import type { Endpoint } from '@keepsend/engine'
import { Icon } from '../parts/icon.tsx'
import { Moment } from '../parts/moment.tsx'
import { type Reader, showUntil } from '../reader/reader.ts'

export function EndpointButtons({ endpoint, reader }: { endpoint: Endpoint; reader: Reader }) {
  const { text, link, canAct } = reader
  const { workspaceId, id, status, pausedUntil } = endpoint
  if (!canAct) return null
  return (
    <>
      <a class="btn" href={link('replays', 'new', { workspace: workspaceId, endpoint: id })}>
        <Icon name="replay" />
        {text('delivery.replay')}
      </a>
      <a class="btn" href={link('endpoints', workspaceId, id, 'secrets')}>
        <Icon name="key" />
        {text('endpoint.secrets')}
      </a>
      <a class="btn" href={link('endpoints', workspaceId, id, 'edit')}>
        <Icon name="edit" />
        {text('endpoint.edit')}
      </a>
      {status === 'disabled' ? null : pausedUntil === null ? (
        <button class="btn" form="act" name="do" value="pause">
          <Icon name="pause" />
          {text('endpoint.pause')}
        </button>
      ) : (
        <button class="btn" form="act" name="do" value="resume">
          <Icon name="play" />
          {text('endpoint.resume')}
        </button>
      )}
      {status === 'disabled' ? (
        <button class="btn primary" form="act" name="do" value="enable">
          <Icon name="on" />
          {text('endpoint.enable')}
        </button>
      ) : (
        <>
          <a class="btn" href={link('endpoints', workspaceId, id, 'disable')}>
            <Icon name="off" />
            {text('endpoint.disable')}…
          </a>
          <a class="btn primary" href={link('endpoints', workspaceId, id, 'test')}>
            <Icon name="test" />
            {text('endpoint.test')}
          </a>
        </>
      )}
      <a class="btn danger" href={link('endpoints', workspaceId, id, 'delete')}>
        <Icon name="trash" />
        {text('endpoint.delete')}…
      </a>
    </>
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
