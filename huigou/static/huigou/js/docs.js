/* The interface's documentation in Chinese: the package that draws it speaks English alone. */
(() => {
  "use strict";
  const WORDS = {
    "Authorize": "授权", "Available authorizations": "可用的授权", "Cancel": "取消", "Clear": "清除", "Close": "关闭",
    "Code": "状态码", "Controls Accept header.": "决定请求头 Accept。", "Curl": "命令行", "Default": "默认",
    "Default value": "默认值", "Description": "说明", "Details": "详情", "Download": "下载", "Download file": "下载文件",
    "Edit Value": "编辑", "Example": "示例", "Example Value": "示例", "Examples": "示例", "Execute": "发送",
    "Failed to fetch.": "没有取到。", "Failed to load API definition.": "接口描述没有载入。", "Hide": "收起",
    "Links": "关联", "Loading": "载入中", "Media type": "内容类型", "Name": "名称", "No content": "没有内容",
    "No links": "无", "No parameters": "没有参数", "Parameters": "参数", "Request URL": "请求地址",
    "Request body": "请求内容", "Request duration": "用时", "Reset": "复原", "Response body": "回答内容",
    "Response headers": "回答头", "Responses": "回答", "Schema": "结构", "Schemas": "结构", "Send empty value": "发送空值",
    "Server response": "服务器的回答", "Servers": "服务器", "Try it out": "试一试", "Undocumented": "未描述",
    "Value": "值", "Warning": "注意", "required": "必填", "cookie": "Cookie", "Copied": "已复制", "Expand all": "全部展开",
    "Collapse all": "全部收起", "Expand operation": "展开", "Collapse operation": "收起",
  };
  const TITLED = ["aria-label", "title", "placeholder"];

  const translate = (node) => {
    if (node.nodeType === Node.TEXT_NODE) {
      const plain = node.data.trim();
      if (Object.hasOwn(WORDS, plain)) node.data = node.data.replace(plain, WORDS[plain]);
      return;
    }
    if (node.nodeType !== Node.ELEMENT_NODE || node.closest("pre, code, textarea")) return;
    for (const name of TITLED) {
      const said = node.getAttribute(name);
      if (said && Object.hasOwn(WORDS, said)) node.setAttribute(name, WORDS[said]);
    }
    node.childNodes.forEach(translate);
  };

  document.addEventListener("DOMContentLoaded", () => {
    const page = document.getElementById("swagger-ui");
    const watch = { childList: true, subtree: true, characterData: true, attributes: true, attributeFilter: TITLED };
    new MutationObserver((changes) => {
      for (const change of changes) {
        change.addedNodes.forEach(translate);
        if (change.type !== "childList") translate(change.target);
      }
    }).observe(page, watch);
  });
})();
