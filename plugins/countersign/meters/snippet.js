/* Countersign's browser meter: how much of an answer was put on screen, when it ended and why.
   One row for each answer; counts only, no text, no cookies, nothing kept in the browser.

     <script src="https://meters.example/snippet.js"></script>
     const meter = countersign({ url: "https://meters.example/v1/deliveries?key=pk_..." });
     const answer = meter.answer({ requestId, element });  // element: where the answer grows
     answer.id(chunk.id);     // the provider's id, from any chunk
     answer.end();            // complete     answer.stop();  // the reader pressed stop
     answer.fail();           // an error

   Without `element`, say what is shown: render = answer.wrap(render), where render(text) appends. */
(function (global) {
  "use strict";
  function post(url, row, last) {
    const body = JSON.stringify(row); // text/plain: no preflight, so it may be the last thing sent
    if (last && navigator.sendBeacon && navigator.sendBeacon(url, body)) return;
    const send = () => fetch(url, { method: "POST", body, keepalive: true, credentials: "omit" });
    const again = () => setTimeout(() => send().catch(() => {}), 2000);
    send().then((r) => { if (r.status === 429 || r.status >= 500) again(); }, again);
  }
  const length = (text) => Array.from(text).length; // characters as the books count them
  global.countersign = function ({ url, tenant = null }) {
    const open = new Set();
    addEventListener("pagehide", () => open.forEach((a) => a.close("disconnect")));
    document.addEventListener("visibilitychange", () => {
      if (document.visibilityState === "hidden") open.forEach((a) => a.close("disconnect", true));
    });
    return { answer({ requestId, element = null }) {
      const started = new Date().toISOString();
      let shown = 0, text = "", responseId = null;
      const look = () => { // the most that stood there: an app may clear it when it fails
        if (element && element.textContent.length > text.length) text = element.textContent;
      };
      const eye = element && new MutationObserver(look);
      if (eye) eye.observe(element, { childList: true, characterData: true, subtree: true });
      const me = { close(ended, provisional) {
        if (!open.has(me)) return;
        look();
        if (!provisional) { open.delete(me); if (eye) eye.disconnect(); }
        post(url, { request_id: requestId, response_id: responseId, meter: "browser", tenant,
          started_at: started, ended_at: new Date().toISOString(), ended, provisional,
          rendered_characters: shown + length(text) }, ended === "disconnect");
      } };
      open.add(me);
      return {
        id(id) { responseId = id || responseId; },
        wrap: (render) => (text) => {
          const result = render(text);
          if (open.has(me)) shown += length(text);
          return result;
        },
        end: () => me.close("completed"), stop: () => me.close("user_stop"), fail: () => me.close("error"),
      };
    } };
  };
})(window);
