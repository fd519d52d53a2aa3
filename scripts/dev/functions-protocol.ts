/** Names the function that answers a request to the functions' process: its file, percent-encoded. */
export const FUNCTION_FILE_HEADER = 'x-leadline-function-file'

/** What the functions' process says when it is up. */
export interface FunctionsMessage {
  type: 'listening'
  port: number
}
