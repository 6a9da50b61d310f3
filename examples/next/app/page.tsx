export default function Page() {
  return <p>POST /messages</p>
}
