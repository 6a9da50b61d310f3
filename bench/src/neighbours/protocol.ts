// What the processes of the work `neighbours` are asked over IPC: see ../ask.ts.
import type { EndpointInput } from '@keepsend/engine'
import type { LaneRef } from '@keepsend/outbox'

/** When an event's publish was committed, in ms of the machine's monotonic clock. */
export type Published = [eventId: string, atMs: number]

/** When a POST arrived first, on the same clock. */
export type Arrival = [path: string, eventId: string, atMs: number]

/** A process that publishes, delivers or both: processes/neighbour.ts. */
export interface NeighbourAsks {
  /** Begins to deliver. */
  start: { ask: undefined; answer: undefined }
  /** Makes these endpoints; their ids, in order. */
  create: { ask: { workspaceId: string; endpoints: EndpointInput[] }; answer: string[] }
  enable: { ask: LaneRef & { isEnabled: boolean }; answer: undefined }
  /** Commits so many rows, over these lanes in turn, as fan-outs would have made them. */
  seed: { ask: { lanes: LaneRef[]; events: number; type?: string }; answer: undefined }
  /** So many rows by one statement, pending or failed. */
  fill: { ask: LaneRef & { kind: 'pending' | 'failed'; count: number }; answer: undefined }
  /** One `POST /events` of so many events. */
  post: { ask: { workspaceId: string; events: number }; answer: undefined }
  /** Publishes one event. */
  publish: { ask: { workspaceId: string }; answer: undefined }
  /** Publishes one event each `everyMs`, for `ms`, whatever became of the ones before. */
  publishFor: { ask: { workspaceId: string; everyMs: number; ms: number }; answer: Published[] }
  /** Replays whatever has failed. */
  replay: { ask: LaneRef; answer: undefined }
  /** Rows that are held. */
  held: { ask: undefined; answer: number }
}

export interface NeighbourSetup {
  store: 'sqlite' | 'postgres'
  place: string
}

/** The receivers of one side: processes/neighbour-receiver.ts. */
export interface ReceiverAsks {
  port: { ask: undefined; answer: number }
  /** POSTs that were answered with 200 since the start. */
  delivered: { ask: undefined; answer: number }
  /** First arrivals since the last call; only of a receiver that notes them. */
  arrivals: { ask: undefined; answer: Arrival[] }
}

export interface ReceiverSetup {
  /** Whether it notes when each event arrives. */
  keep: boolean
}
