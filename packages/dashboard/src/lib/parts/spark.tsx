import { scaleLinear } from 'd3-scale'

/** Hours of attempts in a row of a list: failed at the foot. */
export function Spark({
  buckets,
  label,
}: {
  buckets: readonly { delivered: number; failed: number }[]
  label: string
}) {
  const most = Math.max(1, ...buckets.map(({ delivered, failed }) => delivered + failed))
  const scale = scaleLinear().domain([0, most]).range([0, 19])
  return (
    <svg
      class="spark"
      viewBox={`0 0 ${buckets.length * 4 - 1} 20`}
      preserveAspectRatio="none"
      role="img"
      aria-label={label}
    >
      {buckets.map(({ delivered, failed }, at) => {
        if (delivered + failed === 0) return <rect class="f-none" x={at * 4} y={19} width={3} height={1} />
        const bad = failed === 0 ? 0 : Math.max(1, scale(failed))
        const good = delivered === 0 ? 0 : Math.max(1, scale(delivered))
        return (
          <>
            {good > 0 ? (
              <rect class="f-ok" x={at * 4} y={round(20 - bad - good)} width={3} height={round(good)} />
            ) : null}
            {bad > 0 ? <rect class="f-fail" x={at * 4} y={round(20 - bad)} width={3} height={round(bad)} /> : null}
          </>
        )
      })}
    </svg>
  )
}

function round(value: number): number {
  return Math.round(value * 100) / 100
}
