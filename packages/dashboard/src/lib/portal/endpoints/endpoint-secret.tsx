import { type Endpoint, type EndpointSecret, EngineError } from '@keepsend/engine'
import { Icon } from '../../parts/icon.tsx'
import type { Shown } from '../../site/visit.ts'
import type { PortalAction, PortalPage, PortalVisit } from '../portal-visit.ts'
import { EndpointHead, SendTestLink } from './endpoint-head.tsx'
import { RotateForm, overlapOf } from './rotate-form.tsx'
import { SecretPanel } from './secret-panel.tsx'
import { VerifyCode } from './verify-code.tsx'

const PATH = '/endpoints/:id/secret'

/** The secrets that requests are signed with. Their texts are shown only after a POST, which the audit records. */
export const portalSecretPage: PortalPage = {
  path: PATH,
  section: 'endpoints',
  show: (visit) => secretPage(visit),
}

export const portalSecretAction: PortalAction = {
  path: PATH,
  needs: 'secrets:write',
  async act(sent) {
    const { engine, reader, workspaceId, field, by } = sent
    // First, so that an endpoint of another workspace answers as one that does not exist.
    const { id, signatures, compatHeader } = await engine.endpoints.get(workspaceId, sent.param('id'))
    const verb = field('do')
    if (verb === 'reveal')
      return secretPage(sent, { revealed: await engine.endpoints.revealSecrets(workspaceId, id, { by }) })
    if (verb === 'hide') return reader.link('endpoints', id, 'secret')
    if (verb !== 'rotate')
      throw new EngineError(
        'invalid_request',
        `a secret can be revealed, hidden or rotated; found ${verb ?? 'nothing'}`,
      )
    const schemes = compatHeader === null ? signatures : [...signatures, 'compat' as const]
    try {
      const scheme = schemes.find((one) => one === field('scheme'))
      await engine.endpoints.rotateSecret(workspaceId, id, { by, overlapMs: overlapOf(field('overlap')), scheme })
      return reader.link('endpoints', id, 'secret')
    } catch (error) {
      if (!(error instanceof EngineError) || error.code !== 'conflict') throw error
      return secretPage(sent, { refusal: reader.text('portal.too_many_secrets') })
    }
  },
}

async function secretPage(
  visit: PortalVisit,
  { revealed, refusal }: { revealed?: EndpointSecret[]; refusal?: string } = {},
): Promise<Shown> {
  const { engine, workspaceId, reader, param, may } = visit
  const { text } = reader
  const endpoint = await engine.endpoints.get(workspaceId, param('id'))
  const secrets = revealed ?? (await engine.endpoints.secrets(workspaceId, endpoint.id))
  const schemes = [...new Set(secrets.map(({ scheme }) => scheme))]
  const main = (
    <>
      <EndpointHead
        endpoint={endpoint}
        current="secret"
        visit={visit}
        actions={<SendTestLink endpoint={endpoint} visit={visit} />}
      />
      {refusal === undefined ? null : (
        <div class="note bad" role="alert">
          <Icon name="failed" />
          <div>
            <h2>{text('portal.not_rotated')}</h2>
            <p>{refusal}</p>
          </div>
        </div>
      )}
      <div class="split">
        <div class="stack big-gap">
          <section class="panel">
            {secrets.map((secret) => (
              <SecretPanel
                secret={secret}
                newest={secrets.find(({ scheme }) => scheme === secret.scheme) ?? secret}
                isRevealed={revealed !== undefined}
                isOneOfSchemes={schemes.length > 1}
                endpoint={endpoint}
                visit={visit}
              />
            ))}
            {may('secrets:write') ? <RotateForm endpoint={endpoint} schemes={schemes} reader={reader} /> : null}
          </section>
        </div>
        <Signing endpoint={endpoint} visit={visit} />
      </div>
      <VerifyCode visit={visit} />
    </>
  )
  return { title: text('portal.secret'), main, status: refusal === undefined ? undefined : 409 }
}

/** The headers of a request, and what stands in them. */
function Signing({ endpoint: { signatures, compatHeader }, visit }: { endpoint: Endpoint; visit: PortalVisit }) {
  const { text } = visit.reader
  const content = <span class="mono">id.timestamp.body</span>
  return (
    <aside class="stack" aria-labelledby="h-how">
      <h2 id="h-how">{text('portal.signed')}</h2>
      <dl class="facts">
        <dt>webhook-id</dt>
        <dd>{text('portal.signed_id')}</dd>
        <dt>webhook-timestamp</dt>
        <dd>{text('portal.signed_timestamp')}</dd>
        <dt>webhook-signature</dt>
        {signatures.includes('v1') ? (
          <dd>{text.rich('portal.signed_v1', { prefix: <span class="mono">v1,</span>, content })}</dd>
        ) : null}
        {signatures.includes('v1a') ? (
          <dd>{text.rich('portal.signed_v1a', { prefix: <span class="mono">v1a,</span>, content })}</dd>
        ) : null}
        {compatHeader === null ? null : (
          <>
            <dt>{compatHeader}</dt>
            <dd>{text('portal.signed_compat')}</dd>
          </>
        )}
      </dl>
    </aside>
  )
}
